"""CamemBERT: a RoBERTa of French (Martin et al. 2020, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.keys import key
from shapeviz.models import roberta
from shapeviz.models._encoder_only import classes
from shapeviz.models.roberta import IGNORED, ONLY, SYMBOLS, build, check
from shapeviz.models.roberta import MODULES as PARTS

__all__ = ["CLASSES", "IGNORED", "MODULES", "ONLY", "SYMBOLS", "Config", "build", "check"]

CLASSES = classes("Camembert", "ForCausalLM")
MODULES = {path: name for path, name in PARTS.items() if path != "encoder.embedding" and name != "lm_head"}
"""Without those of which PyTorch has one tied table, by the name of the head."""


@dataclass(frozen=True)
class Config(roberta.Config):
    """The keys of a CamemBERT configuration; the defaults are those of its documentation."""

    vocab_size: int = key(30522)
