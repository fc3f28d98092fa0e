"""GLM-4: norms before and after each sublayer, grouped queries, rotary positions in a part of each head
(GLM Team 2024; the norms after each sublayer: model card of GLM-4-0414, 2025)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sandwich import Sandwich
from shapeviz.keys import key
from shapeviz.models._checks import grouped, usual_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES | {"d_k": "head_dim"}
IGNORED = USUAL_IGNORED | {"partial_rotary_factor"}
ONLY = {"mlp_bias": (False,)}
CLASSES = classes("Glm4", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a GLM-4 configuration; the defaults are those of GLM-4-9B-0414."""

    vocab_size: int = key(151552)
    hidden_size: int = key(4096)
    intermediate_size: int = key(13696)
    num_hidden_layers: int = key(40)
    num_attention_heads: int = key(32)
    num_key_value_heads: int = key(2)
    head_dim: int = key(128)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(131072)
    attention_bias: bool = key(True)
    tie_word_embeddings: bool = key(False)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a GLM-4; attention_bias is that of queries, keys and values, the output has none."""
    groups, d_k, rules, aliases = heads(c)
    biased = Heads(h, groups, d_k, d_k, bias=c.attention_bias, output_bias=False)
    attend = causal(MultiHead(biased, rotate=rotary))
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer = Sandwich(attend, feed, rms_norm)
    function = decoder_only([Layers(N, layer)], rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
