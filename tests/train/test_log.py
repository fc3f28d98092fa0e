"""The log of a run: every line whole, what a checkpoint does not have taken back."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shapeviz.errors import InputError
from shapeviz.train.log import Log

ENDLESS = """
import sys
from pathlib import Path
from shapeviz.train.log import Log
log = Log(Path(sys.argv[1]))
for step in range(10**9):
    log.add(step=step, train_loss=4 / (step + 1), lr=1e-3, tokens_per_second=1e4)
"""


def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(step=0, train_loss=4.17, val_loss=4.2, lr=1e-3, tokens_per_second=17_600)
    log.add(step=10, train_loss=float("nan"), lr=0.001, tokens_per_second=float("inf"), gradient_norm=1.5)
    first, second = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert {"step": 0, "train_loss": 4.17, "val_loss": 4.2, "lr": 0.001, "tokens_per_second": 17600.0} == first
    assert {
        "step": 10, "train_loss": None, "val_loss": None, "lr": 0.001, "tokens_per_second": None, "gradient_norm": 1.5,
    } == second  # fmt: skip
    assert [first, second] == Log.read(tmp_path)


def test_floats_come_back_bit_for_bit(tmp_path: Path) -> None:
    losses = [0.1 + 0.2, 1 / 3, 2.0**-40, 4.174387269895637]
    log = Log(tmp_path)
    for step, loss in enumerate(losses):
        log.add(step=step, train_loss=loss)
    log.truncate(10)
    assert losses == [line["train_loss"] for line in Log.read(tmp_path)]


def test_a_log_is_taken_back_to_the_step_of_a_checkpoint_and_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    for folder in (straight, resumed):
        folder.mkdir()
        log = Log(folder)
        for step in range(0, 50, 10):
            log.add(step=step, train_loss=1 / (step + 1))
        log.close()
    again = Log(resumed)
    again.truncate(20)
    assert [0, 10, 20] == [line["step"] for line in Log.read(resumed)]
    for step in (30, 40):
        again.add(step=step, train_loss=1 / (step + 1))
    assert (straight / "log.jsonl").read_bytes() == (resumed / "log.jsonl").read_bytes()
    again.truncate(-1)
    assert [] == Log.read(resumed)


def test_of_a_step_written_twice_the_last_line_stays(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(step=10, train_loss=2.0)
    log.add(step=10, train_loss=1.0)
    log.truncate(10)
    assert [1.0] == [line["train_loss"] for line in Log.read(tmp_path)]


def test_a_torn_line_is_left_out_and_cut_off(tmp_path: Path) -> None:
    Log(tmp_path).add(step=0, train_loss=4.0)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 10, "train_')
    assert [0] == [line["step"] for line in Log.read(tmp_path)]
    log = Log(tmp_path)
    log.add(step=10, train_loss=3.0)
    log.sync()
    assert [0, 10] == [line["step"] for line in Log.read(tmp_path)]


@pytest.mark.parametrize("delay", [0.002, 0.01, 0.03])
def test_a_killed_process_leaves_whole_lines(tmp_path: Path, delay: float) -> None:
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)])
    while not (tmp_path / "log.jsonl").exists():
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    steps = [line["step"] for line in Log.read(tmp_path)]
    assert list(range(len(steps))) == steps


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert [] == Log.read(tmp_path)


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", '{"train_loss": 1}', '{"step": 1.5}', '{"step": true}', '{"step": 3'], ids=str
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 0}\n' + line + '\n{"step": 2}\n')
    with pytest.raises(InputError, match=r"log\.jsonl, line 2: a JSON object with an integer 'step'"):
        Log.read(tmp_path)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Log(tmp_path).add(step=0, train_loss=4.0)
    log, write, room = Log(tmp_path), os.write, 9

    def full(file: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        room -= (taken := write(file, data[:room]))
        return taken

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InputError, match=r"cannot write .*log\.jsonl: No space left on device"):
        log.add(step=10, train_loss=3.0)
    assert [0] == [line["step"] for line in Log.read(tmp_path)]


def test_a_binary_log_and_one_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match="cannot read"):
        Log.read(tmp_path)
    with pytest.raises(InputError, match=r"cannot write .*No such file"):
        Log(tmp_path / "nowhere").add(step=0)
