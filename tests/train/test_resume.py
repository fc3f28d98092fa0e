"""Killed at any moment, also inside a save, a run goes on bit for bit as if it had never stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from training import HERE, drive, figures, text, tiny

from shapeviz.train.log import Log
from shapeviz.train.loop import Outcome, train


def run(path: Path, folder: Path, resume: bool = False, **options: Any) -> Outcome:
    return train(tiny(path, **options), folder, resume, say=lambda _: None, report=False)


def test_killed_at_twenty_random_moments_it_ends_as_a_straight_run(tmp_path: Path) -> None:
    done = drive("random", tmp_path, text(tmp_path), 20, steps=120, dropout=0.1)
    assert 0 == done.returncode, done.stderr
    runs = [one for one in tmp_path.iterdir() if one.is_dir() and one.name != "straight"]
    straight = figures(tmp_path / "straight")
    assert 21 + len(runs) - 1 == sum(int(line.split()[0]) for line in done.stdout.splitlines())
    assert [straight] * len(runs) == [figures(one) for one in runs]


@pytest.mark.parametrize("where", ["writing", "written", "moved"])
def test_killed_inside_a_save_it_ends_as_a_straight_run(tmp_path: Path, where: str) -> None:
    path = text(tmp_path)
    done = drive("saving", tmp_path / "run", path, where)
    assert 0 == done.returncode, done.stderr
    assert int(done.stdout.split()[0]) > 3
    run(path, tmp_path / "straight")
    assert figures(tmp_path / "straight") == figures(tmp_path / "run")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_saves_and_the_rest_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_: int, dtype: str
) -> None:
    from shapeviz.train import loop

    path, update = text(tmp_path), loop.update

    def interrupted(run: Any, module: Any) -> None:
        if run.step == 13:  # between two lines of the log: what is pending has to be kept
            os.kill(os.getpid(), signal_)
        update(run, module)

    monkeypatch.setattr(loop, "update", interrupted)
    outcome = run(path, tmp_path / "run", dtype=dtype)
    assert (14, signal_) == (outcome.step, outcome.stopped)
    assert 12 == Log.read(tmp_path / "run")[-1]["step"]
    monkeypatch.undo()
    assert 40 == run(path, tmp_path / "run", resume=True, dtype=dtype).step
    run(path, tmp_path / "straight", dtype=dtype)
    assert figures(tmp_path / "straight") == figures(tmp_path / "run")


def test_a_signal_during_an_evaluation_leaves_it_to_the_resumed_run(tmp_path: Path, monkeypatch: Any) -> None:
    from shapeviz.train import evaluation, loop

    path, evaluate = text(tmp_path), evaluation.evaluate
    monkeypatch.setattr(evaluation, "CHUNK", 64)

    def interrupted(module: Any, ids: Any, block_size: int, world: Any, stopped: Any, *rest: Any) -> float:
        if not stopped() and len(Log.read(tmp_path / "run")) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(module, ids, block_size, world, stopped, *rest)

    monkeypatch.setattr(loop, "evaluate", interrupted)
    outcome = run(path, tmp_path / "run")
    assert (20, signal.SIGINT) == (outcome.step, outcome.stopped)
    assert 16 == Log.read(tmp_path / "run")[-1]["step"]
    monkeypatch.setattr(loop, "evaluate", evaluate)
    run(path, tmp_path / "run", resume=True)
    run(path, tmp_path / "straight")
    assert figures(tmp_path / "straight") == figures(tmp_path / "run")


def test_sigterm_from_outside_saves_and_exits_143(tmp_path: Path) -> None:
    path = text(tmp_path)
    options = '{"steps": 100000000, "eval_every": 100000000, "log_every": 10}'
    command = [sys.executable, str(HERE / "driver.py"), options, "once", str(tmp_path / "run"), str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while len(Log.read(tmp_path / "run")) < 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert 128 + signal.SIGTERM == process.wait(30)
    assert (tmp_path / "run" / "last.pt").exists()


def test_more_steps_go_on_with_the_schedule_where_it_was(tmp_path: Path) -> None:
    path = text(tmp_path)
    run(path, tmp_path / "run", steps=20, t_max=40)
    run(path, tmp_path / "run", resume=True, steps=40, t_max=40)
    run(path, tmp_path / "straight", steps=40)
    assert figures(tmp_path / "straight") == figures(tmp_path / "run")


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    path = text(tmp_path)
    first = run(path, tmp_path / "run")
    before = figures(tmp_path / "run")
    again = run(path, tmp_path / "run", resume=True)
    assert (first.step, first.val_loss, before) == (again.step, again.val_loss, figures(tmp_path / "run"))
