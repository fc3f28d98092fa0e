"""gpt-oss: experts in every layer, every other layer with a sliding window, a learned sink for each head, biases
everywhere (OpenAI 2025; attention sinks: Xiao et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, Scores
from shapeviz.blocks.clamped_feed_forward import ClampedFeedForward
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.moe import MixtureOfExperts, Router
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.errors import SizeError
from shapeviz.expr import ceil
from shapeviz.keys import TEXTS, key
from shapeviz.models._checks import at_most, chosen, grouped, rotary_check
from shapeviz.models._decoder_only import USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import E, N, d_e, h, heads, k
from shapeviz.models._patterns import IN_TURN, layer_order, pattern, windowed
from shapeviz.models._plan import Plan

SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "g": "num_key_value_heads", "d_k": "head_dim", "d_e": "intermediate_size", "E": "num_local_experts",
    "k": "num_experts_per_tok", "w": "sliding_window",
}  # fmt: skip
ALIASES = {"num_experts": "num_local_experts", "experts_per_token": "num_experts_per_tok"}
IGNORED = USUAL_IGNORED | {
    "router_aux_loss_coef", "hidden_act", "swiglu_alpha", "swiglu_limit", "initial_context_length",
}  # fmt: skip
ONLY = {"mlp_bias": (True,)}
CLASSES = classes("GptOss", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a gpt-oss configuration; the defaults are those of the 120 billion model."""

    vocab_size: int = key(201088)
    hidden_size: int = key(2880)
    intermediate_size: int = key(2880)
    num_hidden_layers: int = key(36)
    num_attention_heads: int = key(64)
    num_key_value_heads: int = key(8)
    head_dim: int = key(64)
    max_position_embeddings: int = key(131072)
    sliding_window: int | None = key(128, null=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    attention_bias: bool = key(True)
    num_local_experts: int = key(128)
    num_experts_per_tok: int = key(4)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, too many chosen experts, layers that do not fit."""
    rotary_check(c)
    at_most(c, "num_experts_per_tok", "num_local_experts")
    if layer_order(c, IN_TURN).counts({"N": c.num_hidden_layers}).get("sliding") and not c.sliding_window:
        raise SizeError("some layers have a sliding window, sliding_window = null: a positive integer is needed")


def build(c: Config, task: str) -> Plan:
    """The plan of a gpt-oss; layers take turns, the first with a window, unless layer_types says otherwise."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=c.attention_bias), Scores(sinks=h), rotate=rotary)
    feed = MixtureOfExperts(Router(E, k, bias=True), ClampedFeedForward(d_e))
    layer = windowed(PreNorm, attend, feed, rms_norm)
    layers, values, counts = pattern(layer_order(c, IN_TURN), c.num_hidden_layers, layer, {"sliding": ceil(N / 2)})
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    conditions = (grouped(), chosen())
    return Plan(function, rules | counts, aliases, values, longest=c.max_position_embeddings, conditions=conditions)
