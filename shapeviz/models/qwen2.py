"""Qwen2: a decoder with RMSNorm before each sublayer, rotary positions, SwiGLU, grouped queries, and biases of the
queries, keys and values alone (Yang et al. 2024, section 2.2.1)."""

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
from shapeviz.models._patterns import FULL, late_windows, layer_order, windowed
from shapeviz.models._plan import Plan

SYMBOLS = SIZES | {"d_k": "head_dim", "w": "sliding_window"}
IGNORED = USUAL_IGNORED | {"use_mrope", "is_causal", "dual_chunk_attention_config", "pretraining_tp"}
ONLY = {"attention_bias": (True,), "qkv_bias": (True,), "mlp_bias": (False,)}
CLASSES = classes("Qwen2", "ForTokenClassification", "ForQuestionAnswering")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Qwen2 configuration; the defaults are those that its documentation states."""

    vocab_size: int = key(151936)
    hidden_size: int = key(4096)
    intermediate_size: int = key(22016)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(32, null=True)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(32768)
    use_sliding_window: bool = key(False)
    sliding_window: int | None = key(4096, null=True)
    max_window_layers: int = key(28, may_be_zero=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, or a list of layers that does not fit."""
    rotary_check(c)
    layer_order(c, FULL)


def build(c: Config, task: str) -> Plan:
    """The plan of a Qwen2; the last layers have a window if use_sliding_window says so."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, output_bias=False), rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    layer = windowed(PreNorm, attend, feed, rms_norm)

    layers, values, counts = late_windows(c, layer)
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=(grouped(),))
