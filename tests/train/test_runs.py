"""Several runs in one table and one plot, in units that can be compared."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from shapeviz.cli._app import app
from shapeviz.train.folder import dumped
from shapeviz.train.log import Log
from shapeviz.train.recipe import checked


def made(folder: Path, losses: list[float], data: dict[str, Any] | None = None, **options: Any) -> str:
    """A folder as a run leaves it, with a loss every ten steps."""
    folder.mkdir()
    (folder / "recipe.json").write_text(dumped(checked(**options).plain()))
    facts = {"characters_a_token": 1.0, "vocabulary": 65, "sha256": "ab", "lossless": True, **(data or {})}
    (folder / "data.json").write_text(dumped(facts))
    log = Log(folder)
    for number, loss in enumerate(losses):
        log.add(step=10 * number, train_loss=loss, val_loss=loss, lr=1e-3)
    log.close()
    return str(folder)


def shapeviz(*words: str) -> Result:
    return CliRunner().invoke(app, ["runs", *words])


def test_the_best_loss_of_each_and_what_differs(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", [4, 2, 3]), made(tmp_path / "b", [4, 3, 2.5], lr=2e-3, layers=2, seed=1)]
    done = shapeviz(*runs, "--json")
    assert (0, "") == (done.exit_code, done.stderr)
    first, second = json.loads(done.stdout)["runs"]
    assert (2.0, 10, 20, "--layers 4 --lr 0.001 --seed 1337") == tuple(
        first[key] for key in ("loss", "best_step", "step", "differs")
    )
    assert (2.5, 20, "--layers 2 --lr 0.002 --seed 1") == tuple(second[key] for key in ("loss", "best_step", "differs"))
    assert (math.exp(2), 2 / math.log(2)) == pytest.approx((first["perplexity"], first["bits_per_character"]), rel=1e-4)


def test_other_tokens_are_compared_in_bits_and_other_texts_not_at_all(tmp_path: Path) -> None:
    words = {"characters_a_token": 2.5, "vocabulary": 900, "hidden_bits": 0.5, "unknown": 0.05}
    one, two = made(tmp_path / "a", [3]), made(tmp_path / "b", [5], words, tokenizer="word")
    done = shapeviz(one, two, "--json", "--plot", str(tmp_path / "all.svg"))
    assert "their tokens differ" in done.stderr
    found = [row["bits_per_character"] for row in json.loads(done.stdout)["runs"]]
    assert [3 / math.log(2), 5 / math.log(2) / 2.5 + 0.5] == pytest.approx(found, rel=1e-4)
    drawn = (tmp_path / "all.svg").read_text()
    assert "bits per character" in drawn
    assert all(f": {bits:.4f} at step 0" in drawn for bits in (3 / math.log(2), 5 / math.log(2) / 2.5 + 0.5))
    lossy = made(tmp_path / "c", [1], {"sha256": "cd", "lossless": False})
    done = shapeviz(one, lossy, "--json")
    assert "different texts" in done.stderr
    assert json.loads(done.stdout)["runs"][1]["bits_per_character"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "name the folders"), (["nowhere"], "the run nowhere: there is no such folder"),
     (["a", "--plot", "x.txt"], "ends in .png"), (["a", "--plot", "a/log.jsonl"], "log.jsonl")],
)  # fmt: skip
def test_a_mistake_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "a", [1])
    done = shapeviz(*words)
    assert 2 == done.exit_code
    assert told in done.stderr


def test_a_run_that_has_not_begun_has_dashes(tmp_path: Path) -> None:
    done = shapeviz(made(tmp_path / "a", []))
    assert 0 == done.exit_code
    assert "–" in done.stdout
