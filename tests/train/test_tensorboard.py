"""The files for TensorBoard, as TensorBoard itself reads them."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training import text, tiny

from shapeviz.errors import InputError, MissingToolError
from shapeviz.train.loop import train
from shapeviz.train.tensorboard import Board


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The values of a run's folder by tag and step."""
    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    return {tag: {event.step: event.value for event in read.Scalars(tag)} for tag in read.Tags()["scalars"]}


def test_the_values_are_those_of_the_log(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add(0, {"train_loss": 4.25, "val_loss": None, "lr": 0.0})
    board.add(100_000, {"train_loss": 2.5, "val_loss": 2.75, "lr": 0.25, "tokens_per_second": 16_384})
    assert {
        "loss/train": {0: 4.25, 100_000: 2.5},
        "loss/validation": {100_000: 2.75},
        "lr": {0: 0.0, 100_000: 0.25},
        "tokens_per_second": {100_000: 16384.0},
    } == scalars(tmp_path)


def test_a_resumed_run_tells_readers_to_drop_what_it_repeats(tmp_path: Path) -> None:
    first = Board(tmp_path)
    for step in (0, 10, 20):
        first.add(step, {"train_loss": 4.0 - step / 10})
    again = Board(tmp_path)
    again.restart(11)
    assert {0: 4.0, 10: 3.0} == scalars(tmp_path)["loss/train"]
    again.add(20, {"train_loss": 1.0})
    assert {0: 4.0, 10: 3.0, 20: 1.0} == scalars(tmp_path)["loss/train"]


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    board = Board(tmp_path)
    before = board.path.stat().st_size
    board.add(0, {"lr": 1.0})
    assert before < board.path.stat().st_size
    assert {0: 1.0} == scalars(tmp_path)["lr"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*tensorboard"):
        Board(tmp_path / "nowhere")


def test_without_the_library_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    recipe = tiny(text(tmp_path), tensorboard=True)
    with pytest.raises(MissingToolError, match=r"--tensorboard needs tensorboard, .* pip install tensorboard$"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
