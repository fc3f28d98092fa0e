"""Runs that go on: with more steps, another patience, from another run's weights, on another text."""

from pathlib import Path
from typing import Any

import pytest
import torch
from training import figures, text, tiny

from shapeviz.errors import InputError
from shapeviz.train import checkpoint, folder, generate
from shapeviz.train.log import Log
from shapeviz.train.loop import Outcome, train
from shapeviz.train.optimizer import learning_rate
from shapeviz.train.recipe import checked


def run(path: Path, place: Path, resume: bool = False, said: list[str] | None = None, **options: Any) -> Outcome:
    say = (lambda _: None) if said is None else said.append
    return train(tiny(path, **options), place, resume, say=say, report=False)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A text and a run of 20 steps on it."""
    place = tmp_path_factory.mktemp("short")
    path = text(place)
    run(path, place / "run", steps=20)
    return path, place / "run"


def copy(short: tuple[Path, Path], place: Path) -> Path:
    import shutil

    shutil.copytree(short[1], place)
    return place


def test_the_rate_of_added_steps_stays_at_the_least(short: tuple[Path, Path], tmp_path: Path) -> None:
    """As nanoGPT's does behind lr_decay_iters, and not as torch's cosine, which would be at its top at step 40."""
    one, said = copy(short, tmp_path / "one"), []
    run(short[0], one, resume=True, said=said, steps=40)
    rates = {line["step"]: line["lr"] for line in Log.read(one)}
    assert rates[20] > 1e-4
    assert [1e-4] * 4 == pytest.approx([rates[step] for step in (24, 30, 36, 40)])
    assert any("stays at 0.0001; --no-hold lets it rise again" in line for line in said)
    # and so it stays when the run goes on once more
    stored = folder.stored(one)
    assert (20, True, 40) == (stored.t_max, stored.hold, stored.steps)


def test_with_no_hold_it_rises_again_as_torch_s(short: tuple[Path, Path], tmp_path: Path) -> None:
    one = copy(short, tmp_path / "one")
    run(short[0], one, resume=True, steps=40, hold=False)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 19, 1e-4)  # one step of warm-up
    for _ in range(38):
        optimizer.step()
        theirs.step()
    assert Log.read(one)[-1]["lr"] == pytest.approx(theirs.get_last_lr()[0])
    with pytest.raises(InputError, match="--hold is False there"):
        run(short[0], one, resume=True, steps=60, hold=True)


def test_an_end_that_was_asked_for_is_torch_s(short: tuple[Path, Path], tmp_path: Path) -> None:
    assert learning_rate(checked("report", steps=10_000), 10_000) == pytest.approx(1e-3)
    # behind a rate of 0 that stays nothing would be learnt
    fast = tmp_path / "fast"
    run(short[0], fast, steps=2, min_lr=0.0)
    with pytest.raises(InputError, match=r"with a rate of 0.*--no-hold.*--init-from"):
        run(short[0], fast, resume=True, steps=4, min_lr=0.0)


def test_how_often_is_looked_may_change_when_a_run_goes_on(short: tuple[Path, Path], tmp_path: Path) -> None:
    one = copy(short, tmp_path / "one")
    run(short[0], one, resume=True, steps=30, eval_every=5, log_every=1, eval_tokens=50)
    steps = [line["step"] for line in Log.read(one) if line["val_loss"] is not None]
    assert [0, 10, 20, 25, 30] == steps
    assert [*range(20, 31)] == [line["step"] for line in Log.read(one)][-11:]


def test_patience_ends_a_run_at_the_evaluation_that_takes_it_and_more_of_it_goes_on(tmp_path: Path) -> None:
    import random

    path, said = tmp_path / "noise.txt", []
    path.write_text("".join(random.Random(0).choices("abcdefgh", k=200)))  # learnt by heart, it gets worse elsewhere
    options = {"steps": 200, "lr": 1e-2, "d_model": 32}
    outcome = run(path, tmp_path / "run", said=said, patience=2, **options)
    losses = {line["step"]: line["val_loss"] for line in Log.read(tmp_path / "run") if line["val_loss"]}
    best = min(losses, key=lambda step: losses[step])
    assert best + 20 == outcome.step < 200
    assert checkpoint.load(tmp_path / "run" / "best.pt")["step"] == best
    assert any(f"ended at step {outcome.step}: 2 evaluations without a lower loss" in line for line in said)
    # it has come to its end, until it has more patience; then it goes on as if it had had it from the start
    assert outcome.step == run(path, tmp_path / "run", resume=True, patience=2, **options).step
    run(path, tmp_path / "run", resume=True, patience=3, **options)
    run(path, tmp_path / "straight", patience=3, **options)
    assert figures(tmp_path / "straight") == figures(tmp_path / "run")


def test_a_run_begins_with_the_weights_of_another_on_another_text(short: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("dog a sat cat " * 200)
    options = {**folder.like(short[1]), "init_from": str(short[1]), "steps": 1}
    run(other, tmp_path / "new", **options)
    source, letters = generate.load(short[1])
    first = Log.read(tmp_path / "new")[0]["val_loss"]
    ids = torch.tensor(letters.encode(other.read_text()[2520:]).astype(int))
    # its first loss is that of the other's best weights on the new text: 279 targets, 17 windows of 16 and one of 7
    xent = torch.nn.functional.cross_entropy
    with torch.no_grad():
        windows = [(ids[i : min(i + 16, 279)], ids[i + 1 : i + 17]) for i in range(0, 279, 16)]
        losses = [xent(source(x[None])[0], y, reduction="sum") for x, y in windows]
    assert first == pytest.approx(float(sum(losses)) / 279, rel=1e-4)
    assert (tmp_path / "new" / "tokenizer.json").read_bytes() == (short[1] / "tokenizer.json").read_bytes()
    # it goes on like any other, though the run it came from be gone
    stored = folder.stored(tmp_path / "new")
    assert stored.init_from == str(short[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"d_model": 32}, "--d-model is 16 there, 32 here; leave out --d-model"),
     ({"tokenizer": "bpe"}, "--tokenizer is char there")],
)  # fmt: skip
def test_weights_of_other_sizes_are_refused_by_the_flag(
    short: tuple[Path, Path], tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(short[0], tmp_path / "new", init_from=str(short[1]), **options)
    assert not (tmp_path / "new").exists()


def test_without_a_run_there_is_nothing_to_begin_with(short: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--init-from .*nowhere: there is no such folder"):
        run(short[0], tmp_path / "new", init_from=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("characters", ["dog a sat cat ", "Full of New Letters! "])
def test_another_text_on_resume_points_to_a_run_of_its_own(
    short: tuple[Path, Path], tmp_path: Path, characters: str
) -> None:
    one, other = copy(short, tmp_path / "one"), tmp_path / "other.txt"
    other.write_text(characters * 200)
    with pytest.raises(InputError, match=r"not the one that .* was trained on.*--init-from .*one from its weights"):
        run(other, one, resume=True, steps=40)
