"""Weights in parts (FSDP2): the losses of whole ones, checkpoints that go from any layout to any, and hostile parts."""

import json
import os
import pickle
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from test_distributed import torchrun
from training import HERE, TINY, figures, text, tiny

from shapeviz.errors import InputError
from shapeviz.train import checkpoint, shards
from shapeviz.train.generate import load
from shapeviz.train.log import Log
from shapeviz.train.loop import train
from shapeviz.train.prediction import FLOPS, GRADIENTS, PARAMETERS, STATES, WEIGHTS

ODD = {"d_model": 15, "heads": 3, "layers": 2, "batch_size": 5}  # nothing is divisible by two
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "odd": {**ODD, "accumulate": 2, "clip": 0.5},
    "bfloat16": {"dtype": "bfloat16"},
    "half": {"steps": 20, "t_max": 40},
    "moved": {"steps": 20, "t_max": 40},
}


def driven(folder: Path, runs: list[dict[str, Any]]) -> None:
    """The runs by two processes, in folders by their number."""
    done = torchrun(2, HERE / "driver.py", json.dumps(runs), "each", folder, folder / "words.txt")
    assert 0 == done.returncode, done.stderr


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sharded runs by two processes, in folders by their names; `half` goes on after its first half."""
    folder = tmp_path_factory.mktemp("sharded")
    text(folder)
    driven(folder, [{"parallel": "fsdp", **options} for options in RUNS.values()])
    for number, name in enumerate(RUNS):
        (folder / str(number)).rename(folder / name)
    (folder / "half").rename(folder / "0")
    driven(folder, [{"parallel": "fsdp", "t_max": 40}])
    (folder / "0").rename(folder / "half")
    return folder


@pytest.fixture
def run(two: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(two / "plain", tmp_path / "run"))


def weights(folder: Path, options: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The fp32 weights of the last checkpoint, from one file or from parts."""
    return {name: p.detach() for name, p in load(folder, "last")[0].named_parameters()}


def same(one: Path, other: Path, tolerance: float) -> None:
    """Asserts equal logs."""
    for line, both in zip(Log.read(one), Log.read(other), strict=True):
        assert line["step"] == both["step"]
        for name in ("train_loss", "val_loss"):
            assert line[name] == pytest.approx(both[name], abs=tolerance)


@pytest.mark.parametrize("name", ["plain", "odd", "bfloat16"])
def test_parts_have_the_losses_of_the_whole(two: Path, tmp_path: Path, name: str) -> None:
    train(tiny(two / "words.txt", **RUNS[name]), tmp_path / "one", say=lambda _: None, report=False)
    same(tmp_path / "one", two / name, 2e-3 if name == "bfloat16" else 1e-6)
    assert 2 == len(list((two / name / "shards").glob("*/*.distcp"))) / len(list((two / name / "shards").iterdir()))
    if name != "bfloat16":
        whole, parts = weights(tmp_path / "one", RUNS[name]), weights(two / name, RUNS[name])
        assert whole.keys() == parts.keys()
        for key, weight in whole.items():
            assert (weight - parts[key]).abs().max() < 1e-5, key


def test_a_run_in_parts_goes_on_bit_for_bit(two: Path) -> None:
    straight, resumed = (
        {name: value.numpy().tobytes() for name, value in weights(two / run, {}).items()} for run in ("plain", "half")
    )
    assert straight == resumed
    logs = [[{**line, "tokens_per_second": None} for line in Log.read(two / run)] for run in ("plain", "half")]
    moments = [tensors(two / run) for run in ("plain", "half")]
    assert moments[0] == moments[1]
    # the first half ends with an evaluation where the straight run has one, too
    assert logs[0] == logs[1]


def tensors(folder: Path) -> dict[str, bytes]:
    """Both moments as their bytes, read by one process."""
    module = load(folder, "last")[0]
    empty = {
        key: {name: torch.empty(p.shape) for name, p in module.named_parameters()} for key in ("exp_avg", "exp_avg_sq")
    }
    state = checkpoint.load(folder / "last.pt")
    shards.read(folder, state["shards"], empty)
    assert 40 == int(state["optimizer"]["step"])
    return {f"{key}.{name}": value.numpy().tobytes() for key, part in empty.items() for name, value in part.items()}


def test_a_run_goes_from_parts_to_the_whole_and_back(two: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(two / "moved", tmp_path / "moved"))
    words = two / "words.txt"
    train(tiny(words, t_max=40, steps=30), moved, resume=True, say=lambda _: None, report=False)
    assert not (moved / "shards").exists()
    train(tiny(words, t_max=40, parallel="fsdp"), moved, resume=True, say=lambda _: None, report=False)
    assert "shards" in checkpoint.load(moved / "last.pt")
    same(two / "plain", moved, 1e-6)


def test_one_process_trains_in_parts_as_well(two: Path, tmp_path: Path) -> None:
    train(tiny(two / "words.txt", parallel="fsdp"), tmp_path / "one", say=lambda _: None, report=False)
    assert not torch.distributed.is_initialized()
    same(two / "plain", tmp_path / "one", 1e-6)


def test_only_parts_that_a_checkpoint_names_are_kept(run: Path) -> None:
    named = {checkpoint.load(run / name)["shards"]["folder"] for name in ("last.pt", "best.pt")}
    assert named == {place.name for place in (run / "shards").iterdir()}
    (run / "shards" / "00000099").mkdir()  # of a process that was killed while it wrote
    checkpoint.sweep(run)
    assert named == {place.name for place in (run / "shards").iterdir()}


def test_a_killed_save_leaves_the_checkpoint_before_it(two: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The parts are on the disk, and what names them is not."""
    folder, words = tmp_path / "run", two / "words.txt"

    class Killed(BaseException):
        pass

    save, count = checkpoint.save, 0

    def killed(path: Path, state: Any) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise Killed
        save(path, state)

    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(Killed):
        train(tiny(words, parallel="fsdp"), folder, say=lambda _: None, report=False)
    monkeypatch.undo()
    torch.distributed.is_initialized() and torch.distributed.destroy_process_group()
    train(tiny(words, parallel="fsdp"), folder, resume=True, say=lambda _: None, report=False)
    train(tiny(words, parallel="fsdp"), tmp_path / "straight", say=lambda _: None, report=False)
    first, second = weights(folder, {}), weights(tmp_path / "straight", {})
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_a_process_holds_is_what_was_predicted(two: Path, tmp_path: Path) -> None:
    flags = {**TINY, **ODD, "parallel": "fsdp", "steps": 4, "sample_every": 2}
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]
    run = tmp_path / "run"
    done = torchrun(2, "-m", "shapeviz.train", "--text", two / "words.txt", *words, "-o", run)
    assert 0 == done.returncode, done.stderr
    rows = {row["what"]: row for row in json.loads((run / "prediction.json").read_text())}
    assert [True] * 5 == [rows[what]["agrees"] for what in (PARAMETERS, FLOPS, WEIGHTS, GRADIENTS, STATES)]
    weights = rows[WEIGHTS]["measured"] // 4
    assert rows[PARAMETERS]["measured"] < 2 * weights < 1.1 * rows[PARAMETERS]["measured"]  # half of an odd model
    assert "step 2:" in done.stderr
    assert 1 == done.stdout.count("on the validation split")


def part(run: Path) -> Path:
    return run / "shards" / checkpoint.load(run / "last.pt")["shards"]["folder"]


def test_a_damaged_part_is_told(run: Path) -> None:
    path = part(run) / "__1_0.distcp"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"__1_0\.distcp is damaged: .*cp .*best\.pt"):
        load(run, "last")
    path.unlink()
    with pytest.raises(InputError, match=r"__1_0\.distcp is missing"):
        load(run, "last")


def test_a_hostile_part_executes_nothing(run: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {mark}",)

    rewritten(run, pickle.dumps(Hostile()))
    with pytest.raises(InputError, match=r"asks for \w+\.system, which is not executed"):
        load(run, "last")
    assert not mark.exists()


def test_parts_lie_where_the_checkpoint_lies(run: Path, tmp_path: Path) -> None:
    metadata = pickle.loads((part(run) / ".metadata").read_bytes())
    for info in metadata.storage_data.values():
        info.relative_path = "../../../../etc/passwd"
    rewritten(run, pickle.dumps(metadata))
    with pytest.raises(InputError, match="files that do not belong to it"):
        load(run, "last")
    state = checkpoint.load(run / "last.pt")
    checkpoint.save(run / "last.pt", {**state, "shards": {"folder": "..", "files": {}}})
    with pytest.raises(InputError, match="does not say where its parts are"):
        load(run, "last")


def rewritten(run: Path, metadata: bytes) -> None:
    """The list of parts is another one, and the checkpoint agrees with it."""
    path, state = part(run) / ".metadata", checkpoint.load(run / "last.pt")
    path.write_bytes(metadata)
    state["shards"]["files"][".metadata"] = [len(metadata), sha256(metadata).hexdigest()]
    checkpoint.save(run / "last.pt", state)


def test_parts_of_another_model_are_refused(run: Path, two: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "intermediate_size": 32}))
    with pytest.raises(InputError, match="no checkpoint of this model"):
        load(run, "last")


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before_it(run: Path, two: Path, monkeypatch: Any) -> None:
    before = figures_of(run)
    saved: Any = shards.save

    def full(*arguments: Any, **options: Any) -> None:
        saved(*arguments, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards, "save", full)
    with pytest.raises(InputError, match="No space left on device; the checkpoint before it is kept"):
        train(tiny(two / "words.txt", steps=50, parallel="fsdp"), run, resume=True,
              say=lambda _: None, report=False)  # fmt: skip
    assert before == figures_of(run)
    load(run, "last")


def figures_of(run: Path) -> dict[str, str]:
    return {name: figures(run)[name] for name in ("last.pt", "best.pt")}
