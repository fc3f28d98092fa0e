"""Gemma 3 without its image encoder: Gemma 2 with norms of the queries and keys of each head, and five layers with a
sliding window for each that attends to all (Gemma Team 2025, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sandwich import Sandwich
from shapeviz.blocks.sublayer import Layer
from shapeviz.expr import Expr, floor
from shapeviz.keys import TEXTS, key
from shapeviz.layer_order import LayerOrder
from shapeviz.models._checks import grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads, w
from shapeviz.models._patterns import FULL, causal, layer_order, pattern
from shapeviz.models._plan import Plan

SYMBOLS = SIZES | {"d_k": "head_dim", "w": "sliding_window"}
IGNORED = USUAL_IGNORED | {
    "rope_local_base_freq", "query_pre_attn_scalar", "final_logit_softcapping", "attn_logit_softcapping", "hidden_act",
    "_sliding_window_pattern",
}  # fmt: skip
ONLY = {"use_qk_norm": (True,), "mlp_bias": (False,)}
CLASSES = {"Gemma3ForCausalLM": "lm", "Gemma3TextModel": "", "Gemma3TextForSequenceClassification": "sequence"}
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Gemma 3 configuration of text; the defaults are those that its documentation states."""

    vocab_size: int = key(262208)
    hidden_size: int = key(2304)
    intermediate_size: int = key(9216)
    num_hidden_layers: int = key(26)
    num_attention_heads: int = key(8)
    num_key_value_heads: int = key(4)
    head_dim: int = key(256)
    hidden_activation: str = key("gelu_pytorch_tanh")
    max_position_embeddings: int = key(131072)
    sliding_window: int | None = key(4096, null=True)
    sliding_window_pattern: int = key(6)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    attention_bias: bool = key(False)
    use_bidirectional_attention: bool | None = key(False, null=True)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, or a list of layers that does not fit."""
    rotary_check(c)
    layer_order(c, _usual(c))


def build(c: Config, task: str) -> Plan:
    """The plan of a Gemma 3; the last of every sliding_window_pattern layers attends to all, unless layer_types says
    otherwise."""
    groups, d_k, rules, aliases = heads(c)
    heads_of = Heads(h, groups, d_k, d_k, bias=c.attention_bias)
    attend = MultiHead(heads_of, norm=QKNorm(rms_norm), rotate=rotary)
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_activation)

    def layer(kind: str) -> Layer:
        # a token that sees later ones has no keys and values to keep
        masked = attend if c.use_bidirectional_attention else causal(attend, w if kind == "sliding" else None)
        return Sandwich(masked, feed, rms_norm)

    full = floor(N / c.sliding_window_pattern)
    order = layer_order(c, _usual(c)) if c.sliding_window else FULL
    layers, values, counts = pattern(order, c.num_hidden_layers, layer, {"sliding": N - full, "full": full})
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=(grouped(),))


def _usual(c: Config) -> LayerOrder:
    """Layers with a window, and after them one that attends to all."""
    return LayerOrder((("sliding", Expr.of(c.sliding_window_pattern - 1)), ("full", Expr.of(1))), N)
