"""The DeepSeeks: latent attention, a few dense layers, then layers with shared and routed experts."""

from __future__ import annotations

from typing import Any

from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.latent_attention import LatentAttention, LatentHeads
from shapeviz.blocks.moe import MixtureOfExperts, Router, Scored, Shared
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.position import rotary
from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.layer_order import LayerOrder
from shapeviz.models._checks import chosen, even, known_activations
from shapeviz.models._decoder_only import decoder_only
from shapeviz.models._letters import E, N, d_e, d_ff, d_v, h, k
from shapeviz.models._patterns import TITLES, kept
from shapeviz.models._plan import Layers, Plan, Stack

d_n, d_r, r_kv, r_q, N_s, N_dense, N_moe = map(Expr.of, ("d_n", "d_r", "r_kv", "r_q", "N_s", "N_dense", "N_moe"))
SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "d_n": "qk_nope_head_dim", "d_r": "qk_rope_head_dim", "d_v": "v_head_dim", "r_kv": "kv_lora_rank",
    "r_q": "q_lora_rank", "d_ff": "intermediate_size", "d_e": "moe_intermediate_size", "E": "n_routed_experts",
    "N_s": "n_shared_experts", "k": "num_experts_per_tok", "N_dense": "first_k_dense_replace",
}  # fmt: skip
LEGEND = {
    "d_n": "width of a head's queries and keys without position",
    "d_r": "width of a head's queries and keys that the position turns",
    "r_kv": "width of the latent of keys and values",
    "r_q": "width of the latent of queries",
    "N_s": "shared experts",
}


def latent_check(c: Any) -> None:
    """Raises SizeError for an unknown activation, and where rotary positions cannot turn pairs of features."""
    known_activations(c)
    even("qk_rope_head_dim", c.qk_rope_head_dim)


def latent_plan(c: Any, task: str, bias: bool, scored: Scored, notes: tuple[str, ...] = ()) -> Plan:
    """The plan of a DeepSeek; `bias` is that of the feed-forward networks but for the routed experts."""
    heads = LatentHeads(h, d_n, d_r, d_v, r_kv, r_q if c.q_lora_rank else None)
    attend = LatentAttention(heads, rms_norm, rotary, bias=c.attention_bias, cache=kept())
    dense, expert, shared = (
        GatedFeedForward((width,), bias=biased, activation=c.hidden_act)
        for width, biased in ((d_ff, bias), (d_e, False), (N_s * d_e, bias))
    )
    sharing = Shared(shared) if c.n_shared_experts or bias else None  # none at all still have a bias
    moe = MixtureOfExperts(Router(E, k, scored), expert, sharing)
    with_dense, with_moe = (PreNorm(attend, feed, rms_norm) for feed in (dense, moe))
    kinds = (
        Layers(N_dense, with_dense, "dense_layer", TITLES["dense"]),
        Layers(N_moe, with_moe, "moe_layer", TITLES["moe"]),
    )
    layers = Stack(kinds, LayerOrder(tuple((kind.name, kind.times) for kind in kinds), N_dense + N_moe))
    if not 0 < c.first_k_dense_replace < c.num_hidden_layers:
        layers = Stack((Layers(N, with_dense if c.first_k_dense_replace else with_moe),))
    return Plan(
        decoder_only(layers, rms_norm, task, c.tie_word_embeddings),
        {"N_moe": N - N_dense},
        legend=LEGEND,
        longest=c.max_position_embeddings,
        conditions=(chosen(), Condition("N_dense ≤ N", N_dense, "≤", N, rule=True)),
        notes=notes,
    )
