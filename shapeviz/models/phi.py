"""Phi: attention and feed-forward network side by side behind one LayerNorm, biases everywhere, the head's too
(Gunasekar et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.parallel import Parallel
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, usual_check
from shapeviz.models._decoder_only import ROTARY, SIZES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES
IGNORED = ROTARY | {"layer_norm_eps", "partial_rotary_factor", "attention_dropout", "resid_pdrop", "embd_pdrop"}
ONLY = {"attention_bias": (False, True)}
CLASSES = classes("Phi", "ForTokenClassification")
MODULES = {
    "decoder.embedding": "embed_tokens", "decoder.*layer": "layers", "decoder.final_norm": "final_layernorm",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a Phi configuration; the defaults are those of Phi-1."""

    vocab_size: int = key(51200)
    hidden_size: int = key(2048)
    intermediate_size: int = key(8192)
    num_hidden_layers: int = key(24)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("gelu_new")
    max_position_embeddings: int = key(2048)
    qk_layernorm: bool = key(False)
    tie_word_embeddings: bool = key(False)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a Phi."""
    groups, d_k, rules, aliases = heads(c)
    norm = QKNorm(layer_norm) if c.qk_layernorm else None
    attend = causal(MultiHead(Heads(h, groups, d_k, d_k), norm=norm, rotate=rotary))
    feed = FeedForward((d_ff,), activation=c.hidden_act)
    layer = Parallel(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings, head_bias=True)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
