"""A compiled model has the losses of the one that is not."""

import os
import shutil
from pathlib import Path

import pytest
from training import text, tiny

from shapeviz.train import hardware
from shapeviz.train.distributed import World
from shapeviz.train.log import Log
from shapeviz.train.loop import train


@pytest.mark.skipif(not (shutil.which("g++") or os.environ.get("CI")), reason="torch.compile needs g++ on CPUs")
def test_compiled_losses_are_the_usual_ones(tmp_path: Path) -> None:
    path = text(tmp_path)
    for name, compiled in (("usual", None), ("compiled", True)):
        recipe = tiny(path, compile=compiled, steps=6, eval_every=3, log_every=1)
        assert bool(compiled) == hardware.choose(recipe, World()).compiled  # on CPUs it is to be asked for
        train(recipe, tmp_path / name, say=lambda _: None, report=False)
    for one, other in zip(Log.read(tmp_path / "usual"), Log.read(tmp_path / "compiled"), strict=True):
        for name in ("train_loss", "val_loss"):
            assert one[name] == pytest.approx(other[name], abs=1e-5)
