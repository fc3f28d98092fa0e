"""Checkpoints: whole or absent, harmless, and only for the run that they belong to; a run folder has one owner."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from training import text, tiny

from shapeviz.errors import InputError
from shapeviz.train import checkpoint
from shapeviz.train.loop import train

QUIET: dict[str, Any] = {"say": lambda _: None, "report": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(tiny(text(folder), steps=20), folder / "run", **QUIET)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a run of 20 steps."""
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def again(trained: Path, run: Path, **options: Any) -> list[str]:
    said: list[str] = []
    options = {"steps": 20, **options}
    train(tiny(options.pop("path", trained / "words.txt"), **options), run, resume=True, say=said.append, report=False)
    return said


def digest(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"}


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def test_a_hostile_checkpoint_executes_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"version": 1, "step": Hostile(mark)}, tmp_path / "last.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile(mark)))
    for name in ("last.pt", "plain.pt"):
        with pytest.raises(InputError, match="no whole checkpoint"):
            checkpoint.load(tmp_path / name)
    assert not mark.exists()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_told_and_nothing_is_overwritten(trained: Path, run: Path, part: float) -> None:
    data = (run / "last.pt").read_bytes()
    (run / "last.pt").write_bytes(data[: int(part * len(data))])
    before = digest(run)
    with pytest.raises(InputError, match=r"last\.pt is no whole checkpoint.*cp .*best\.pt"):
        again(trained, run)
    assert before == digest(run)


def test_a_flipped_bit_is_noticed(run: Path) -> None:
    data = bytearray((run / "last.pt").read_bytes())
    with zipfile.ZipFile(run / "last.pt") as archive:
        largest = max(archive.infolist(), key=lambda one: one.file_size)
    data[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    (run / "last.pt").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        checkpoint.load(run / "last.pt")


@pytest.mark.parametrize("change", [
    {"version": 2}, {"version": None}, {"step": "7"}, {"model": None}, {"best": None}, {"step": -5}, {"logged": 10**6},
    {"pending": [("a", "b", "c")]}, {"fingerprint": {"threads": 10**9}},
])  # fmt: skip
def test_another_version_or_content_is_refused(run: Path, change: dict[str, Any]) -> None:
    state = {**checkpoint.load(run / "last.pt"), **change}
    torch.save(state, run / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is (of version 2|no )"):
        checkpoint.load(run / "last.pt")


def test_another_corpus_is_refused_and_nothing_is_overwritten(trained: Path, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text((trained / "words.txt").read_text().replace("dog", "god"))
    before = digest(run)
    with pytest.raises(InputError, match="the corpus is not the one"):
        again(trained, run, path=other)
    assert before == digest(run)
    other.write_text((trained / "words.txt").read_text())  # the same text at another place is the same corpus
    again(trained, run, path=other)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": 2e-3}, "--lr is 0.001 there, 0.002 here"),
        ({"layers": 2}, "--layers is 1 there"),
        ({"t_max": 9}, "--t-max"),
    ],
)
def test_another_configuration_is_refused(trained: Path, run: Path, options: dict[str, Any], words: str) -> None:
    before = digest(run)
    with pytest.raises(InputError, match=words):
        again(trained, run, **options)
    assert before == digest(run)


def test_another_number_of_threads_is_told(trained: Path, run: Path) -> None:
    assert any("threads was 1, now 2" in line for line in again(trained, run, threads=2))
    assert not any("note" in line for line in again(trained, run, threads=None))  # it takes as many as before


def test_a_folder_is_refused_that_holds_a_run_or_such_files(trained: Path, run: Path, tmp_path: Path) -> None:
    recipe = tiny(trained / "words.txt")
    with pytest.raises(InputError, match="holds a run: --resume"):
        train(recipe, run, **QUIET)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.md").write_text("mine")
    with pytest.raises(InputError, match=r"holds report\.md, which would be overwritten"):
        train(recipe, tmp_path / "mine", **QUIET)
    assert ["report.md"] == [path.name for path in (tmp_path / "mine").iterdir()]
    with pytest.raises(InputError, match="there is no run"):
        train(recipe, tmp_path / "mine", resume=True, **QUIET)
    with pytest.raises(InputError, match="no such folder"):
        train(recipe, tmp_path / "none", resume=True, **QUIET)
    with pytest.raises(InputError, match="cannot make"):
        train(recipe, tmp_path / "mine" / "report.md" / "x", **QUIET)


def test_a_folder_in_use_is_refused_until_its_owner_is_gone(trained: Path, run: Path) -> None:
    hold = (
        "import sys, pathlib; from shapeviz.train import checkpoint\n"
        "with checkpoint.locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert "held\n" == owner.stdout.readline()
        before = digest(run)
        with pytest.raises(InputError, match=rf"in use by another run \(process {owner.pid}\)"):
            again(trained, run)
        assert before == digest(run)
        owner.kill()
    again(trained, run)


def test_a_full_disk_is_told_and_the_checkpoint_before_is_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(run)

    def full(path: Path, data: memoryview) -> None:
        path.write_bytes(data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state = checkpoint.load(run / "last.pt")
    monkeypatch.setattr(checkpoint, "written", full)
    with pytest.raises(InputError, match=r"No space left on device; the checkpoint before it is kept"):
        checkpoint.save(run / "last.pt", state)
    assert before == digest(run)


def test_of_a_run_that_could_not_begin_nothing_remains(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        train(tiny(tmp_path / "absent.txt"), tmp_path / "run", **QUIET)
    assert [] == list(tmp_path.iterdir())
