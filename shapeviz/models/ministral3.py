"""Ministral 3: a Mistral without a window, whose queries grow with their position (Mistral AI 2025)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.keys import key
from shapeviz.models import mistral
from shapeviz.models._decoder_only import USUAL_IGNORED, classes
from shapeviz.models.mistral import MODULES, ONLY, SYMBOLS, build, check

__all__ = ["CLASSES", "IGNORED", "MODULES", "ONLY", "SYMBOLS", "Config", "build", "check"]

IGNORED = USUAL_IGNORED
CLASSES = classes("Ministral3", "ForTokenClassification", "ForQuestionAnswering")


@dataclass(frozen=True)
class Config(mistral.Config):
    """The keys of a Ministral 3 configuration; the defaults are those of its 8 billion model."""

    vocab_size: int = key(131072)
    num_hidden_layers: int = key(34)
    head_dim: int | None = key(128, null=True)
    max_position_embeddings: int = key(262144)
    sliding_window: int | None = key(None)
