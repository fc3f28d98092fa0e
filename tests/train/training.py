"""Tiny runs for the tests: a text, a recipe, a driver in a process of its own, and what of a run must be equal."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from shapeviz.train import checkpoint
from shapeviz.train.log import Log
from shapeviz.train.recipe import Recipe, checked

HERE = Path(__file__).parent
TINY: dict[str, Any] = {"layers": 1, "heads": 2, "d_model": 16, "block_size": 16, "batch_size": 4, "steps": 40,
                        "eval_every": 10, "log_every": 4, "threads": 1, "dtype": "float32"}  # fmt: skip


def text(folder: Path, characters: int = 4000) -> Path:
    """A file of words that come again and again."""
    source = random.Random(0)
    path = folder / "words.txt"
    words = ["the cat ", "a dog ", "sat", " ran", ".\n", "away, ", "Hm? "]
    path.write_text("".join(source.choice(words) for _ in range(characters))[:characters])
    return path


def tiny(path: Path, **options: Any) -> Recipe:
    """A recipe that trains in a fraction of a second."""
    return checked(**{**TINY, "texts": (str(path),), **options})


def drive(
    *arguments: object, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs driver.py, whose arguments these are; `options` go to `tiny`."""
    command = [sys.executable, str(HERE / "driver.py"), json.dumps(options), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, env={**os.environ, **(environment or {})}
    )


def figures(folder: Path) -> dict[str, str]:
    """Digests of all that a resumed run must have in common with a straight one: weights, moments, counters, log."""
    found = {}
    for name in (checkpoint.LAST, checkpoint.BEST):
        state = checkpoint.load(folder / name)
        state["fingerprint"], state["seconds"] = None, None
        found[name] = sha256(repr(_bytes(state)).encode()).hexdigest()
    lines = [{**line, "tokens_per_second": None} for line in Log.read(folder)]
    return {**found, "log": sha256(json.dumps(lines).encode()).hexdigest()}


def _bytes(value: Any) -> Any:
    import torch

    match value:
        case torch.Tensor():
            return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
        case dict():
            return {name: _bytes(one) for name, one in value.items()}
        case list() | tuple():
            return [_bytes(one) for one in value]
    return value
