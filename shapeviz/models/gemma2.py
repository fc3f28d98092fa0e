"""Gemma 2: norms before and after each sublayer, every other layer with a sliding window, GeGLU, a tied head
(Gemma Team 2024, arXiv:2408.00118, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sandwich import Sandwich
from shapeviz.expr import ceil
from shapeviz.keys import TEXTS, key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import FULL, IN_TURN, layer_order, pattern, windowed
from shapeviz.models._plan import Plan

SYMBOLS = SIZES | {"d_k": "head_dim", "w": "sliding_window"}
IGNORED = USUAL_IGNORED | {
    "query_pre_attn_scalar",
    "final_logit_softcapping",
    "attn_logit_softcapping",
    "hidden_act",
}
ONLY = {"mlp_bias": (False,), "use_bidirectional_attention": (False,)}
CLASSES = classes("Gemma2", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Gemma 2 configuration; the defaults are those of the 2 billion model."""

    vocab_size: int = key(256000)
    hidden_size: int = key(2304)
    intermediate_size: int = key(9216)
    num_hidden_layers: int = key(26)
    num_attention_heads: int = key(8)
    num_key_value_heads: int = key(4)
    head_dim: int = key(256)
    hidden_activation: str = key("gelu_pytorch_tanh")
    max_position_embeddings: int = key(8192)
    sliding_window: int | None = key(4096, null=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    attention_bias: bool = key(False)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, or a list of layers that does not fit."""
    rotary_check(c)
    layer_order(c, IN_TURN)


def build(c: Config, task: str) -> Plan:
    """The plan of a Gemma 2; layers take turns, the first with a window, unless layer_types says otherwise."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_activation)
    layer = windowed(Sandwich, attend, feed, rms_norm)

    order = layer_order(c, IN_TURN) if c.sliding_window else FULL
    layers, values, counts = pattern(order, c.num_hidden_layers, layer, {"sliding": ceil(N / 2)})
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=(grouped(),))
