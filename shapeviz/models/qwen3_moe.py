"""Qwen3 with mixtures of experts: no expert is shared, queries and keys of each head are normalised
(Yang et al. 2025, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.moe import MixtureOfExperts, Router, Scored
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sublayer import Layer
from shapeviz.keys import INTEGERS, key
from shapeviz.models._checks import at_most, chosen, grouped, rotary_check
from shapeviz.models._decoder_only import SIZES, USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import E, N, d_e, d_ff, h, heads, k, w
from shapeviz.models._patterns import causal, counted
from shapeviz.models._plan import Plan
from shapeviz.models._sparse import experts, sparse_order

SYMBOLS = SIZES | {
    "d_k": "head_dim", "d_e": "moe_intermediate_size", "E": "num_experts", "k": "num_experts_per_tok",
    "w": "sliding_window",
}  # fmt: skip
ALIASES = {"num_local_experts": "num_experts"}
IGNORED = USUAL_IGNORED | {"router_aux_loss_coef", "max_window_layers"}
ONLY = {"use_qk_norm": (True,), "qkv_bias": (False,), "mlp_bias": (False,), "shared_expert_intermediate_size": (0,)}
CLASSES = classes("Qwen3Moe", "ForTokenClassification", "ForQuestionAnswering")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Qwen3 configuration with experts; the defaults are those that its documentation states."""

    vocab_size: int = key(151936)
    hidden_size: int = key(2048)
    intermediate_size: int = key(6144)
    num_hidden_layers: int = key(24)
    num_attention_heads: int = key(32)
    num_key_value_heads: int = key(4)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(32768)
    attention_bias: bool = key(False)
    use_sliding_window: bool = key(False)
    sliding_window: int | None = key(4096, null=True)
    decoder_sparse_step: int = key(1)
    mlp_only_layers: tuple[int, ...] | None = key(None, INTEGERS)
    moe_intermediate_size: int = key(768)
    num_experts: int = key(128, may_be_zero=True)
    num_experts_per_tok: int = key(8)
    norm_topk_prob: bool = key(False)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, and for more chosen experts than there are."""
    rotary_check(c)
    if c.num_experts:
        at_most(c, "num_experts_per_tok", "num_experts")


def build(c: Config, task: str) -> Plan:
    """The plan of a Qwen3 with experts; all layers have a window if use_sliding_window says so."""
    groups, d_k, rules, aliases = heads(c)
    window = w if c.use_sliding_window and c.sliding_window else None
    heads_of = Heads(h, groups, d_k, d_k, bias=c.attention_bias)
    attend = causal(MultiHead(heads_of, norm=QKNorm(rms_norm), rotate=rotary), window)
    dense = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    expert = GatedFeedForward((d_e,), bias=False, activation=c.hidden_act)
    moe = MixtureOfExperts(Router(E, k, Scored("softmax", c.norm_topk_prob)), expert)

    def layer(kind: str) -> Layer:
        return PreNorm(attend, moe if kind == "moe" else dense, rms_norm)

    numbers = {"dense": N - experts(c), "moe": experts(c)}
    counts = {kind: int(rule.at(N=c.num_hidden_layers)) for kind, rule in numbers.items()}
    layers, values, derived = counted(counts, sparse_order(c), layer, numbers)
    function = decoder_only(layers, rms_norm, task, c.tie_word_embeddings)
    conditions = (grouped(), chosen())
    return Plan(function, rules | derived, aliases, values, longest=c.max_position_embeddings, conditions=conditions)
