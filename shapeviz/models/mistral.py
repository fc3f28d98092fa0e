"""Mistral: a Llama whose layers all have a sliding window (Jiang et al. 2023, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.keys import TEXTS, key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import d_ff, h, heads
from shapeviz.models._patterns import FULL, SLIDING, layer_order, pattern, windowed
from shapeviz.models._plan import Plan

SYMBOLS = SIZES | {"d_k": "head_dim", "w": "sliding_window"}
IGNORED = USUAL_IGNORED | {"pretraining_tp"} | {"use_sliding_window", "is_mistral_derived_model"}
ONLY = {"attention_bias": (False,), "mlp_bias": (False,)}
CLASSES = classes("Mistral", "ForTokenClassification", "ForQuestionAnswering")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Mistral configuration; the defaults are those of Mistral 7B, with a longer context."""

    vocab_size: int = key(32000)
    hidden_size: int = key(4096)
    intermediate_size: int = key(14336)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(8, null=True)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(131072)
    sliding_window: int | None = key(4096, null=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, or a list of layers that does not fit."""
    rotary_check(c)
    layer_order(c, SLIDING)


def build(c: Config, task: str) -> Plan:
    """The plan of a Mistral: every layer has the window, unless there is none or layer_types says otherwise."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=False), rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer = windowed(PreNorm, attend, feed, rms_norm)

    order = layer_order(c, SLIDING) if c.sliding_window else FULL
    layers, values, counts = pattern(order, c.num_hidden_layers, layer, {})
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=(grouped(),))
