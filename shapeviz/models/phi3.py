"""Phi-3: the block structure of a Llama, with a sliding window where one is given (Abdin et al. 2024, section 2).

PyTorch's implementation keeps queries, keys and values in one matrix, and the gate beside the way up: as many weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, usual_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads, w
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES | {"d_k": "head_dim", "w": "sliding_window"}
IGNORED = USUAL_IGNORED | {
    "partial_rotary_factor", "resid_pdrop", "embd_pdrop", "original_max_position_embeddings", "pretraining_tp",
}  # fmt: skip
ONLY = {
    "attention_bias": (False,), "mlp_bias": (False,), "lm_head_bias": (False,), "full_attn_mod": (1,),
    "interpolate_factor": (1,),
}  # fmt: skip
CLASSES = classes("Phi3", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Phi-3 configuration; the defaults are those of Phi-3-mini."""

    vocab_size: int = key(32064)
    hidden_size: int = key(3072)
    intermediate_size: int = key(8192)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(None)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(4096)
    sliding_window: int | None = key(None)
    tie_word_embeddings: bool = key(False)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a Phi-3; a part of each head may stay unturned by the position, which costs the same."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=False), rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer = PreNorm(causal(attend, w if c.sliding_window else None), feed, rms_norm)
    function = decoder_only([Layers(N, layer)], rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
