"""Two processes under torchrun, with gloo, give the losses of one process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training import HERE, TINY, text, tiny

from shapeviz.errors import InputError, SizeError
from shapeviz.train import checkpoint, distributed
from shapeviz.train.distributed import World
from shapeviz.train.log import Log
from shapeviz.train.loop import train
from shapeviz.train.recipe import checked

FLAGS = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]
RUNS: list[dict[str, Any]] = [
    {},
    {"batch_size": 5, "accumulate": 2, "clip": 0.5},
    {"parallel": "ddp", "batch_size": 5, "accumulate": 2},
    {"dtype": "bfloat16"},
    {"dtype": "bfloat16", "parallel": "ddp", "accumulate": 2},
]


def torchrun(processes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=600, env=environment
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs by two processes, in folders by their number."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun(2, HERE / "driver.py", json.dumps(RUNS), "each", folder, text(folder))
    assert 0 == done.returncode, done.stderr
    return folder


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_two_processes_have_the_losses_of_one(two: Path, tmp_path: Path, number: int) -> None:
    train(tiny(two / "words.txt", **RUNS[number]), tmp_path / "one", say=lambda _: None, report=False)
    tolerance = 5e-7 if RUNS[number].get("dtype") != "bfloat16" else 2e-3  # to 6 decimals; bf16 rounds gradients
    for one, both in zip(Log.read(tmp_path / "one"), Log.read(two / str(number)), strict=True):
        assert one["step"] == both["step"]
        for name in ("train_loss", "val_loss"):
            assert one[name] == pytest.approx(both[name], abs=tolerance)
    states = [checkpoint.load(folder / "last.pt") for folder in (tmp_path / "one", two / str(number))]
    if tolerance < 1e-6:
        for name, weight in states[0]["model"].items():
            assert (weight - states[1]["model"][name]).abs().max() < 1e-5, name


def test_a_signal_stops_all_processes_at_one_step(tmp_path: Path) -> None:
    """SIGTERM to torchrun, which passes it on; the run goes on as if nothing had been."""
    folder, path = tmp_path / "run", text(tmp_path)
    flags = ["--text", path, *FLAGS, "-o", folder, "--steps", "3000", "--log-every", "5", "--eval-every", "1000"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    command += list(map(str, ["shapeviz.train", *flags]))
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 600
    while not (folder / "log.jsonl").exists() or len(Log.read(folder)) < 5:
        assert time.monotonic() < until
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    assert running.wait(600)
    stopped = checkpoint.load(folder / "last.pt")["step"]
    assert 0 < stopped < 3000
    steps = stopped + 20
    again = torchrun(2, HERE / "driver.py", json.dumps({}), "resume", folder, path, steps)
    assert 0 == again.returncode, again.stderr
    straight = {**TINY, "texts": (str(path),), "steps": steps, "t_max": 3000, "log_every": 5, "eval_every": 1000}
    train(checked(**straight), tmp_path / "straight", say=lambda _: None, report=False)
    for name, weight in checkpoint.load(tmp_path / "straight" / "last.pt")["model"].items():
        assert (weight - checkpoint.load(folder / "last.pt")["model"][name]).abs().max() < 1e-4, name


@pytest.mark.parametrize("resumed", [False, True])
def test_processes_that_see_different_files_are_told(tmp_path: Path, resumed: bool) -> None:
    """Each has a working directory of its own, as machines without a common disk have, or another text."""
    for rank in "01":
        (tmp_path / rank).mkdir()
    flags = ["--text", str(text(tmp_path)), *FLAGS, "-o", "run"]
    words = "process 1 has another corpus than the first one"
    if resumed:
        command = [sys.executable, "-m", "shapeviz", "train", *flags]
        assert 0 == subprocess.run(command, cwd=tmp_path / "0", capture_output=True).returncode
        (tmp_path / "1" / "run").mkdir()
        flags, words = ["--resume", "run", "--steps", "50"], "last.pt is not seen by process 1"
    script = tmp_path / "in_a_folder.py"
    script.write_text(
        f"import os, sys\nfrom shapeviz.cli import main\nos.chdir({str(tmp_path)!r} + '/' + os.environ['RANK'])\n"
        "from shapeviz.train import corpus\nread = corpus._bytes\n"
        f"more = b'a' * int(os.environ['RANK']) * {not resumed}\n"
        "corpus._bytes = lambda path: (read(path)[0], read(path)[1] + more)\n"
        f"sys.argv = ['shapeviz', 'train', *{flags!r}]\nmain()\n"
    )
    if resumed:  # the recipe is read by every process, the checkpoint by those that have it
        (tmp_path / "1" / "run" / "recipe.json").write_text((tmp_path / "0" / "run" / "recipe.json").read_text())
    done = torchrun(2, script)
    assert done.returncode
    assert words in done.stderr


def test_rows_of_all_processes_are_all_rows() -> None:
    for count in range(1, 9):
        for size in range(1, count + 1):
            rows = [list(range(count))[World(rank, size).rows(count)] for rank in range(size)]
            assert list(range(count)) == [row for part in rows for row in part]
            assert all(rows)


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    done = torchrun(2, "-m", "shapeviz.train", "--text", tmp_path / "absent.txt", "-o", tmp_path / "run")
    assert done.returncode != 0
    assert 1 == done.stderr.count("Error: cannot read"), done.stderr
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_is_told_once(tmp_path: Path) -> None:
    wild = ["--lr", "1e30", "--clip", "0", "--min-lr", "0"]
    done = torchrun(2, "-m", "shapeviz.train", "--text", text(tmp_path), *FLAGS, *wild, "-o", tmp_path / "run")
    assert done.returncode
    assert 1 == done.stderr.count("Error: step "), done.stderr
    assert 0 == checkpoint.load(tmp_path / "run" / "last.pt")["step"]


def test_more_processes_than_windows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SizeError, match="--batch-size 2"):
        distributed.check(World(0, 3), 2)
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InputError, match="WORLD_SIZE=two"):
        distributed.start(torch.device("cpu"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(InputError, match=r"WORLD_SIZE=2 without .*MASTER_ADDR"):
        distributed.start(torch.device("cpu"))
