"""OLMo: a Llama whose LayerNorms have no weights (Groeneveld et al. 2024, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import LayerNorm
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES
IGNORED = USUAL_IGNORED | {"clip_qkv", "pretraining_tp"}
ONLY = {"mlp_bias": (False,)}
CLASSES = classes("Olmo")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of an OLMo configuration; the defaults are those of OLMo 7B."""

    vocab_size: int = key(50304)
    hidden_size: int = key(4096)
    intermediate_size: int = key(11008)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(2048)
    attention_bias: bool = key(False)
    tie_word_embeddings: bool = key(False)


check = rotary_check


def build(c: Config, task: str) -> Plan:
    """The plan of an OLMo."""
    groups, d_k, rules, aliases = heads(c)
    attend = causal(MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), rotate=rotary))
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    norm = LayerNorm(scale=False, shift=False)
    layer = PreNorm(attend, feed, norm)
    function = decoder_only([Layers(N, layer)], norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
