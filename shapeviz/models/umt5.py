"""UMT5: an mT5 whose layers have each a table of relative positions of their own (Chung et al. 2023, section 4)."""

from __future__ import annotations

from functools import partial

from shapeviz.models import mt5, t5
from shapeviz.models.mt5 import ALIASES, IGNORED, SYMBOLS, Config, check

__all__ = ["ALIASES", "CLASSES", "IGNORED", "MODULES", "SYMBOLS", "Config", "build", "check"]

CLASSES = {name.replace("MT5", "UMT5"): task for name, task in mt5.CLASSES.items()}
MODULES = {path: name for path, name in mt5.MODULES.items() if not path.endswith(".relative")}
build = partial(t5.build, shared=False)
