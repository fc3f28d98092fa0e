"""StarCoder2: a decoder with grouped queries, a sliding window, LayerNorm and biases (Lozhkov et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import ROTARY, SIZES, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads, w
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES | {"w": "sliding_window"}
IGNORED = ROTARY | {
    "norm_epsilon", "layer_norm_epsilon", "attention_dropout", "residual_dropout", "embedding_dropout",
    "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "scale_attn_weights",
}  # fmt: skip
ONLY = {"norm_type": ("layer_norm",), "mlp_type": ("default",), "activation_function": ("gelu", "gelu_pytorch_tanh")}
CLASSES = classes("Starcoder2", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a StarCoder2 configuration; the defaults are those of StarCoder2-3B."""

    vocab_size: int = key(49152)
    hidden_size: int = key(3072)
    intermediate_size: int = key(12288)
    num_hidden_layers: int = key(30)
    num_attention_heads: int = key(24)
    num_key_value_heads: int = key(2)
    hidden_act: str = key("gelu_pytorch_tanh")
    max_position_embeddings: int = key(4096)
    sliding_window: int | None = key(None)
    use_bias: bool = key(True)
    tie_word_embeddings: bool = key(True)


check = rotary_check


def build(c: Config, task: str) -> Plan:
    """The plan of a StarCoder2."""
    groups, d_k, rules, aliases = heads(c)
    attending = MultiHead(Heads(h, groups, d_k, d_k, bias=c.use_bias), rotate=rotary)
    attend = causal(attending, w if c.sliding_window else None)
    feed = FeedForward((d_ff,), bias=c.use_bias, activation=c.hidden_act)
    layer = PreNorm(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
