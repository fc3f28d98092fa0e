"""The loop learns: one batch by heart, from ln V downwards, in bfloat16 nearly as in float32; NaN stops it."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from training import text, tiny

from shapeviz.errors import CheckFailedError, InputError, SizeError
from shapeviz.train import checkpoint, session
from shapeviz.train import update as updates
from shapeviz.train.distributed import World
from shapeviz.train.log import Log
from shapeviz.train.loop import Outcome, train


def run(path: Path, name: str = "run", resume: bool = False, report: bool = False, **options: Any) -> Outcome:
    return train(tiny(path, **options), path.parent / name, resume, say=lambda _: None, report=report)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_learns_one_batch_by_heart(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "line.txt"
    path.write_text("How many hours a day? " + "x" * 4)  # 26 characters: 23 to train on, one window of 22
    outcome = run(path, block_size=22, batch_size=1, steps=300, lr=1e-2, d_model=32, eval_every=300, dtype=dtype)
    assert outcome.train_loss < 0.05


@pytest.mark.parametrize("positions", ["learned", "rotary", "sinusoidal"])
def test_at_step_0_the_loss_is_that_of_knowing_nothing(tmp_path: Path, positions: str) -> None:
    path = text(tmp_path)
    run(path, steps=1, positions=positions)
    first = Log.read(tmp_path / "run")[0]
    vocabulary = json.loads((tmp_path / "run" / "config.json").read_text())["vocab_size"]
    assert (0, None) == (first["step"], first["train_loss"])
    assert first["val_loss"] == pytest.approx(math.log(vocabulary), abs=0.05)


def test_bfloat16_is_near_float32(tmp_path: Path) -> None:
    path = text(tmp_path)
    losses = [run(path, dtype, dtype=dtype, steps=200, lr=3e-3).val_loss for dtype in ("float32", "bfloat16")]
    assert losses[0] < 2.2  # of ln 20 = 3.0 at the beginning
    assert losses[0] == pytest.approx(losses[1], abs=0.01)


def test_the_same_recipe_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    path = text(tmp_path)
    outcomes = [run(path, str(i), seed=seed).val_loss for i, seed in enumerate((1, 1, 2))]
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_batches_that_are_accumulated_equal_one_large_batch(tmp_path: Path) -> None:
    path = text(tmp_path)
    whole, parts = run(path, "whole", batch_size=8), run(path, "parts", batch_size=4, accumulate=2)
    assert whole.val_loss == pytest.approx(parts.val_loss, abs=5e-7)


def test_batches_are_added_up_in_float32(tmp_path: Path) -> None:
    """A thousandth of a gradient, a thousand times over: in bfloat16 the sum would stand still before its end."""
    path = text(tmp_path)
    norms = []
    for accumulate in (1, 1000):
        recipe = tiny(path, dtype="bfloat16", accumulate=accumulate)
        (tmp_path / str(accumulate)).mkdir()
        s = session.begin(recipe, tmp_path / str(accumulate), World(), None, lambda _: None)
        with pytest.MonkeyPatch.context() as patch:  # the same batch every time
            patch.setattr(updates, "starts", lambda count, seed, step, rows: torch.arange(4).repeat(rows // 4))
            updates.update(one := updates.Run(s), s.module)
        norms.append(float(one.pending[0][2]))
    assert norms[0] == pytest.approx(norms[1], rel=2e-3)


def test_the_log_has_a_line_every_few_steps_with_the_mean_since_the_line_before(tmp_path: Path) -> None:
    path = text(tmp_path)
    run(path, steps=12, log_every=4, eval_every=6)
    run(path, "each", steps=12, log_every=1, eval_every=6)
    lines, each = Log.read(tmp_path / "run"), {line["step"]: line for line in Log.read(tmp_path / "each")}
    assert [0, 4, 6, 8, 12] == [line["step"] for line in lines]
    assert [0, 6, 12] == [line["step"] for line in lines if line["val_loss"] is not None]
    assert lines[1]["train_loss"] == pytest.approx(sum(each[i]["train_loss"] for i in (1, 2, 3, 4)) / 4)
    assert lines[2]["train_loss"] == pytest.approx(sum(each[i]["train_loss"] for i in (5, 6)) / 2)
    assert {"step", "train_loss", "val_loss", "lr", "tokens_per_second"} == set(lines[1])
    assert all(line["tokens_per_second"] > 0 for line in lines[1:])


def test_the_report_s_single_batch_is_logged_beside_the_whole_split(tmp_path: Path) -> None:
    run(text(tmp_path), steps=10, single_batch=True)
    line = Log.read(tmp_path / "run")[-1]
    assert line["val_batch_loss"] == pytest.approx(line["val_loss"], abs=0.3)
    assert line["val_batch_loss"] != line["val_loss"]


def test_best_is_the_step_of_the_lowest_validation_loss(tmp_path: Path) -> None:
    path = tmp_path / "noise.txt"
    path.write_text("".join(random.Random(0).choices("abcdefgh", k=200)))  # learnt by heart, it gets worse elsewhere
    run(path, steps=60, lr=1e-2, d_model=32)
    best = min((line for line in Log.read(tmp_path / "run") if line["val_loss"]), key=lambda line: line["val_loss"])
    assert best["step"] == checkpoint.load(tmp_path / "run" / "best.pt")["step"] < 60


def test_nan_stops_the_run_names_the_step_and_keeps_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shapeviz.train import loop

    update = loop.update

    def poisoned(one: Any, module: Any) -> None:
        if one.step == 16:
            one.session.master.flat[0] = float("nan")
        update(one, module)

    monkeypatch.setattr(loop, "update", poisoned)
    with pytest.raises(CheckFailedError, match="step 17: the loss is nan"):
        run(text(tmp_path))
    state = checkpoint.load(tmp_path / "run" / "last.pt")
    assert 10 == state["step"]
    assert all(torch.isfinite(weight).all() for weight in state["model"].values())
    monkeypatch.undo()
    assert 40 == run(tmp_path / "words.txt", resume=True).step


def test_a_validation_loss_that_is_not_finite_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last update before an evaluation breaks the weights: no training loss has told it."""
    from shapeviz.train import loop

    update = loop.update

    def poisoned(one: Any, module: Any) -> None:
        update(one, module)
        if one.step == 20:
            one.session.master.flat[0] = float("nan")

    monkeypatch.setattr(loop, "update", poisoned)
    with pytest.raises(CheckFailedError, match="step 20: the loss on the validation split is nan"):
        run(text(tmp_path))
    assert 10 == checkpoint.load(tmp_path / "run" / "last.pt")["step"]
    monkeypatch.undo()
    assert 40 == run(tmp_path / "words.txt", resume=True).step


def test_a_plot_that_cannot_be_drawn_does_not_end_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shapeviz.train import plot

    def full(*_: Any, **__: Any) -> None:
        raise InputError("cannot write loss.png: No space left on device")

    monkeypatch.setattr(plot, "draw", full)
    said: list[str] = []
    assert 40 == train(tiny(text(tmp_path)), tmp_path / "run", say=said.append).step
    assert "note: cannot write loss.png: No space left on device" in said


@pytest.mark.parametrize(
    ("characters", "options", "words"),
    [
        (17, {}, "15 tokens to train on.*--block-size 14 at most"),
        (1, {}, "to train on"),
        (100, {"block_size": 60, "single_batch": True}, "one validation batch needs 61 tokens"),
    ],
)
def test_a_corpus_that_is_too_small_is_refused(
    tmp_path: Path, characters: int, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SizeError, match=words):
        run(text(tmp_path, characters), **options)
    assert not (tmp_path / "run").exists()


def test_a_run_leaves_all_files_and_threads_and_signals_as_they_were(tmp_path: Path) -> None:
    import signal

    before = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    run(text(tmp_path), report=True, tensorboard=True, sample_every=20)
    assert before == (torch.get_num_threads(), signal.getsignal(signal.SIGINT))
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert found == {
        ".lock", "best.pt", "config.json", "environment.json", "last.pt", "log.jsonl", "loss.png", "loss.svg",
        "prediction.json", "data.json", "recipe.json", "report.md", "tensorboard", "tokenizer.json",
    }  # fmt: skip
    report = (tmp_path / "run" / "report.md").read_text()
    assert all(words in report for words in ("Prediction and measurement", "temperature 0.8", "sha256", "loss.svg"))
    assert all(row["agrees"] is not False for row in json.loads((tmp_path / "run" / "prediction.json").read_text()))
