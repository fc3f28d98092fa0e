"""Qwen2 with mixtures of experts, and a shared expert that a sigmoid gate weighs (Yang et al. 2024, section 2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.moe import MixtureOfExperts, Router, Scored, Shared
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sublayer import Layer
from shapeviz.errors import SizeError
from shapeviz.keys import INTEGERS, TEXTS, key
from shapeviz.models._checks import at_most, chosen, grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import E, d_e, d_ff, d_s, h, heads, k, w
from shapeviz.models._patterns import FULL, causal, layer_order
from shapeviz.models._plan import Plan
from shapeviz.models._sparse import LEGEND, kinds, kinds_pattern

SYMBOLS = SIZES | {
    "d_k": "head_dim", "d_e": "moe_intermediate_size", "d_s": "shared_expert_intermediate_size", "E": "num_experts",
    "k": "num_experts_per_tok", "w": "sliding_window",
}  # fmt: skip
IGNORED = USUAL_IGNORED | {"router_aux_loss_coef"}
ONLY = {"attention_bias": (True,), "mlp_bias": (False,)}
CLASSES = classes("Qwen2Moe", "ForTokenClassification", "ForQuestionAnswering")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Qwen2 configuration with experts; the defaults are those that its documentation states."""

    vocab_size: int = key(151936)
    hidden_size: int = key(2048)
    intermediate_size: int = key(5632)
    num_hidden_layers: int = key(24)
    num_attention_heads: int = key(16)
    num_key_value_heads: int | None = key(16, null=True)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(32768)
    qkv_bias: bool = key(True)
    use_sliding_window: bool = key(False)
    sliding_window: int | None = key(4096, may_be_zero=True, null=True)
    max_window_layers: int = key(28, may_be_zero=True)
    layer_types: tuple[str, ...] | None = key(None, TEXTS)
    decoder_sparse_step: int = key(1)
    mlp_only_layers: tuple[int, ...] | None = key(None, INTEGERS)
    moe_intermediate_size: int = key(1408)
    shared_expert_intermediate_size: int = key(5632)
    num_experts: int = key(60, may_be_zero=True)
    num_experts_per_tok: int = key(4)
    norm_topk_prob: bool = key(False)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, too many chosen experts, layers that do not fit."""
    rotary_check(c)
    if c.num_experts:
        at_most(c, "num_experts_per_tok", "num_experts")
    layer_order(c, FULL)
    windows = any(rule.at(N=c.num_hidden_layers) for kind, rule in kinds(c).items() if "sliding" in kind)
    if windows and not (c.use_sliding_window and c.sliding_window):
        raise SizeError(
            f"some layers have a sliding window, use_sliding_window = {str(c.use_sliding_window).lower()} "
            f"and sliding_window = {c.sliding_window or 'null'}: true and a positive integer are needed"
        )


def build(c: Config, task: str) -> Plan:
    """The plan of a Qwen2 with experts; every other one of the first max_window_layers has a window, if any has."""
    groups, d_k, rules, aliases = heads(c)
    biased = Heads(h, groups, d_k, d_k, bias=c.qkv_bias, output_bias=False)
    attend = MultiHead(biased, rotate=rotary)
    dense, expert, shared = (
        GatedFeedForward((width,), bias=False, activation=c.hidden_act) for width in (d_ff, d_e, d_s)
    )
    moe = MixtureOfExperts(Router(E, k, Scored("softmax", c.norm_topk_prob)), expert, Shared(shared, gated=True))

    def layer(kind: str) -> Layer:
        window = w if "sliding" in kind else None
        return PreNorm(causal(attend, window), moe if "moe" in kind else dense, rms_norm)

    layers, values, counts = kinds_pattern(c, layer)
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    return Plan(
        function,
        rules | counts,
        aliases,
        values,
        legend=LEGEND,
        longest=c.max_position_embeddings,
        conditions=(grouped(), chosen()),
    )
