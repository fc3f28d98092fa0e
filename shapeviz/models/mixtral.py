"""Mixtral: a Mistral whose feed-forward networks are mixtures of experts (Jiang et al. 2024, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.moe import MixtureOfExperts, Router
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import at_most, chosen, grouped, rotary_check
from shapeviz.models._decoder_only import USUAL_IGNORED, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import E, N, d_e, h, heads, k, w
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "g": "num_key_value_heads", "d_k": "head_dim", "d_e": "intermediate_size", "E": "num_local_experts",
    "k": "num_experts_per_tok", "w": "sliding_window",
}  # fmt: skip
ALIASES = {"num_experts": "num_local_experts"}
IGNORED = USUAL_IGNORED | {"router_aux_loss_coef", "router_jitter_noise"}
ONLY = {"attention_bias": (False,), "mlp_bias": (False,)}
CLASSES = classes("Mixtral", "ForTokenClassification", "ForQuestionAnswering")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Mixtral configuration; the defaults are those of Mixtral 8x7B."""

    vocab_size: int = key(32000)
    hidden_size: int = key(4096)
    intermediate_size: int = key(14336)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(8, null=True)
    head_dim: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(131072)
    sliding_window: int | None = key(None)
    num_local_experts: int = key(8)
    num_experts_per_tok: int = key(2)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, and for more chosen experts than there are."""
    rotary_check(c)
    at_most(c, "num_experts_per_tok", "num_local_experts")


def build(c: Config, task: str) -> Plan:
    """The plan of a Mixtral."""
    groups, d_k, rules, aliases = heads(c)
    attend = MultiHead(Heads(h, groups, d_k, d_k, bias=False), rotate=rotary)
    expert = GatedFeedForward((d_e,), bias=False, activation=c.hidden_act)
    feed = MixtureOfExperts(Router(E, k), expert)
    layer = PreNorm(causal(attend, w if c.sliding_window else None), feed, rms_norm)
    function = decoder_only([Layers(N, layer)], rms_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(), chosen()))
