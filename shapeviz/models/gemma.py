"""Gemma: a decoder with RMSNorm before each sublayer, rotary positions, GeGLU, wide heads and a tied head
(Gemma Team 2024, arXiv:2403.08295, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.keys import SWITCH, key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES | {"d_k": "head_dim"}
IGNORED = USUAL_IGNORED | {"hidden_activation", "pretraining_tp"}
ONLY = {"mlp_bias": (False,)}
CLASSES = classes("Gemma", "ForTokenClassification")
MODULES = USUAL_MODULES
TANH = "gelu_pytorch_tanh"


@dataclass(frozen=True)
class Config:
    """The keys of a Gemma configuration; the defaults are those of Gemma 7B."""

    vocab_size: int = key(256000)
    hidden_size: int = key(3072)
    intermediate_size: int = key(24576)
    num_hidden_layers: int = key(28)
    num_attention_heads: int = key(16)
    num_key_value_heads: int = key(16)
    head_dim: int = key(256)
    hidden_act: str | None = key(TANH, null=True)
    max_position_embeddings: int = key(8192)
    attention_bias: bool = key(False)
    use_bidirectional_attention: bool | None = key(None, SWITCH)
    tie_word_embeddings: bool = key(True)


check = rotary_check


def build(c: Config, task: str) -> Plan:
    """The plan of a Gemma. The first releases say `gelu`, or null, where its approximation is meant."""
    groups, d_k, rules, aliases = heads(c)
    activation = TANH if c.hidden_act in (None, "gelu") else c.hidden_act
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), rotate=rotary)
    if not c.use_bidirectional_attention:  # a token that sees later ones has no keys and values to keep
        attend = causal(attend)
    feed = GatedFeedForward((d_ff,), bias=False, activation=activation)
    layer = PreNorm(attend, feed, rms_norm)
    function = decoder_only([Layers(N, layer)], rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
