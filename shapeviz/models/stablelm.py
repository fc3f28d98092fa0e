"""StableLM: a Llama with LayerNorm, and rotary positions in a part of each head (Bellagente et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import GatedFeedForward
from shapeviz.blocks.norm import heads_layer_norm, layer_norm
from shapeviz.blocks.parallel import Parallel
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import grouped, usual_check
from shapeviz.models._decoder_only import ROTARY, SIZES, USUAL_MODULES, classes, decoder_only
from shapeviz.models._letters import N, d_ff, h, heads
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES
IGNORED = ROTARY | {
    "layer_norm_eps", "norm_eps", "partial_rotary_factor", "rope_pct", "hidden_dropout", "attention_dropout",
    "rotary_scaling_factor",
}  # fmt: skip
ONLY = {"mlp_bias": (False,)}
CLASSES = classes("StableLm", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a StableLM configuration; the defaults are those of StableLM-3B-4E1T."""

    vocab_size: int = key(50304)
    hidden_size: int = key(2560)
    intermediate_size: int = key(6912)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int = key(32)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(4096)
    use_qkv_bias: bool = key(False)
    qk_layernorm: bool = key(False)
    use_parallel_residual: bool = key(False)
    tie_word_embeddings: bool = key(False)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a StableLM; with use_parallel_residual both sublayers read the same norm."""
    groups, d_k, rules, aliases = heads(c)
    biased = Heads(h, groups, d_k, d_k, bias=c.use_qkv_bias, output_bias=False)
    norm = QKNorm(heads_layer_norm) if c.qk_layernorm else None
    attend = causal(MultiHead(biased, norm=norm, rotate=rotary))
    feed = GatedFeedForward((d_ff,), bias=False, activation=c.hidden_act)
    one = Parallel if c.use_parallel_residual else PreNorm
    layer = one(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
