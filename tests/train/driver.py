"""Runs of the tests in a process of their own: once, killed at random moments, or killed inside a save.

    driver.py OPTIONS once FOLDER TEXT          trains, or resumes what is in the folder
    driver.py OPTIONS each FOLDER TEXT          OPTIONS is a list: a run for each, in FOLDER/0, FOLDER/1, …
    driver.py OPTIONS resume FOLDER TEXT N      goes on with the run in the folder up to step N
    driver.py OPTIONS random FOLDER TEXT N      one run, killed N times after a random while (more folders if need be)
    driver.py OPTIONS saving FOLDER TEXT WHERE  one run per save, killed WHERE it is: writing, written, moved

The runs are forks, so that torch is imported once.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from training import tiny

from shapeviz.train import checkpoint, distributed
from shapeviz.train import folder as folders
from shapeviz.train.loop import train
from shapeviz.train.recipe import Recipe


def sitting(folder: Path, recipe: Recipe) -> int:
    """Trains in the folder, or goes on there."""
    outcome = train(recipe, folder, resume=(folder / "recipe.json").exists(), say=lambda _: None, report=False)
    return 128 + outcome.stopped if outcome.stopped else 0


def forked(folder: Path, recipe: Recipe, seconds: float | None = None, prepare=lambda: None) -> bool:
    """A sitting in a process that is killed after some seconds; whether it came to its end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        prepare()
        os._exit(sitting(folder, recipe))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        sys.exit(f"a sitting failed: {status}")
    return not os.WIFSIGNALED(status)


def at_random(folder: Path, recipe: Recipe, kills: int) -> None:
    """Kills until there were so many; prints how many sittings each run took."""
    source, done = random.Random(1), 0
    began = time.monotonic()
    forked(folder / "straight", recipe)
    usual = time.monotonic() - began
    for number in range(1000):
        sittings = 1
        while not forked(folder / str(number), recipe, source.uniform(0.02, usual / 2)):
            done, sittings = done + 1, sittings + 1
            if done >= kills:
                forked(folder / str(number), recipe)
                print(sittings, "sittings")
                return
        print(sittings, "sittings")


def inside_a_save(folder: Path, recipe: Recipe, where: str) -> None:
    """Kills in the first save, then in the second of what is left, …, until a sitting comes through."""
    for number in range(1, 100):
        if forked(folder, recipe, prepare=lambda number=number: _trap(where, number)):
            print(number, "sittings")
            return


def _trap(where: str, number: int) -> None:
    """By `number` the second, third or first save of this process is its last."""
    count = 0
    write, sync = checkpoint.written, checkpoint.sync_folder

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def writing(path: Path, data: memoryview) -> None:
        nonlocal count
        count += 1
        if where == "writing" and count == 1 + number % 3:
            path.write_bytes(data[: len(data) // 2])
            kill()
        write(path, data)
        if where == "written" and count == 1 + number % 3:
            kill()

    def moved(path: Path) -> None:
        if where == "moved" and count == 1 + number % 3:
            kill()
        sync(path)

    checkpoint.written, checkpoint.sync_folder = writing, moved


def main(given: str, mode: str, folder: Path, path: Path, *rest: str) -> None:
    """As the head of this file says."""
    torch.set_num_threads(1)
    options = json.loads(given)
    if mode == "each":
        distributed.start(torch.device("cpu"))
        for number, one in enumerate(options):
            sitting(folder / str(number), tiny(path, **one))
        return
    if mode == "resume":
        stored = replace(folders.stored(folder), steps=int(rest[0]))
        train(stored, folder, resume=True, say=lambda _: None, report=False)
        return
    recipe = tiny(path, **options)
    if mode == "once":
        sys.exit(sitting(folder, recipe))
    with tempfile.TemporaryDirectory() as warm:  # what is imported at the first step is imported once, too
        train(tiny(path, steps=1), Path(warm), say=lambda _: None, report=False)
    if mode == "random":
        at_random(folder, recipe, int(rest[0]))
    else:
        inside_a_save(folder, recipe, rest[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:])
