"""mT5: a T5 of version 1.1 of a hundred languages, with a head of its own (Xue et al. 2021, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.keys import key
from shapeviz.models import t5
from shapeviz.models.t5 import ALIASES, IGNORED, MODULES, SYMBOLS, build, check

__all__ = ["ALIASES", "CLASSES", "IGNORED", "MODULES", "SYMBOLS", "Config", "build", "check"]

CLASSES = {name.replace("T5", "MT5"): task for name, task in t5.CLASSES.items() if name != "T5WithLMHeadModel"}


@dataclass(frozen=True)
class Config(t5.Config):
    """The keys of an mT5 configuration; the defaults are those of mT5-small."""

    vocab_size: int = key(250112)
    d_ff: int = key(1024)
    num_layers: int = key(8)
    num_heads: int = key(6)
    feed_forward_proj: str = key("gated-gelu")
