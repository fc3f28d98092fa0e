"""Command R: attention and feed-forward network side by side behind one LayerNorm without a shift, a tied head
(Cohere 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import LayerNorm, heads_layer_norm
from shapeviz.blocks.parallel import Parallel
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import ROTARY, SIZES, USUAL_MODULES, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES
IGNORED = ROTARY | {"layer_norm_eps", "logit_scale", "attention_dropout", "pretraining_tp"}
ONLY = {"mlp_bias": (False,)}
CLASSES = {"CohereForCausalLM": "lm", "CohereModel": ""}
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Command R configuration; the defaults are those of the 35 billion model."""

    vocab_size: int = key(256000)
    hidden_size: int = key(8192)
    intermediate_size: int = key(22528)
    num_hidden_layers: int = key(40)
    num_attention_heads: int = key(64)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(8192)
    attention_bias: bool = key(False)
    use_qk_norm: bool = key(False)
    tie_word_embeddings: bool = key(True)


check = rotary_check


def build(c: Config, task: str) -> Plan:
    """The plan of a Command R; with use_qk_norm every head's queries and keys are normalised by themselves."""
    groups, d_k, rules, aliases = heads(c)
    norm = QKNorm(heads_layer_norm) if c.use_qk_norm else None
    attend = causal(MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), norm=norm, rotate=rotary))
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer_norm = LayerNorm(shift=False)
    layer = Parallel(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
