"""OLMo 3: an OLMo 2 three of whose four layers have a sliding window (OLMo Team 2025, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sandwich import OutputNorm
from shapeviz.expr import floor
from shapeviz.keys import TEXTS, key
from shapeviz.layer_order import LayerOrder
from shapeviz.models import olmo2
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import FULL, layer_order, pattern, windowed
from shapeviz.models._plan import Plan
from shapeviz.models.olmo2 import IGNORED, MODULES, ONLY

__all__ = ["CLASSES", "IGNORED", "MODULES", "ONLY", "SYMBOLS", "Config", "build", "check"]

SYMBOLS = olmo2.SYMBOLS | {"w": "sliding_window"}
CLASSES = classes("Olmo3")
IN_TURN = LayerOrder.of(["sliding", "sliding", "sliding", "full"], N)


@dataclass(frozen=True)
class Config(olmo2.Config):
    """The keys of an OLMo 3 configuration; the defaults are those that its documentation states."""

    sliding_window: int | None = key(4096, null=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, or a list of layers that does not fit."""
    rotary_check(c)
    layer_order(c, IN_TURN)


def build(c: Config, task: str) -> Plan:
    """The plan of an OLMo 3; every fourth layer attends to all, unless layer_types says otherwise."""
    groups, d_k, rules, aliases = heads(c)
    wide = QKNorm(rms_norm, wide=True)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), norm=wide, rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer = windowed(OutputNorm, attend, feed, rms_norm)
    order = layer_order(c, IN_TURN) if c.sliding_window else FULL
    full = floor(N / 4)
    layers, values, counts = pattern(order, c.num_hidden_layers, layer, {"sliding": N - full, "full": full})
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=(grouped(),))
