"""Falcon: attention and feed-forward network side by side, one key/value head or a few
(Almazrouei et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shapeviz.blocks.alibi import WithAlibi
from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.parallel import Parallel, ParallelOfTwoNorms
from shapeviz.blocks.position import rotary
from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.errors import SizeError
from shapeviz.keys import key
from shapeviz.models._checks import divides, grouped, rotary_check, usual_check
from shapeviz.models._decoder_only import ROTARY, classes, decoder_only
from shapeviz.models._letters import N, d_ff, d_k, d_model, g, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "g": "num_kv_heads", "d_ff": "ffn_hidden_size",
}  # fmt: skip
ALIASES = {"n_embed": "hidden_size"}
IGNORED = ROTARY | {
    "layer_norm_epsilon", "hidden_dropout", "attention_dropout", "apply_residual_connection_post_layernorm",
    "classifier_dropout",
}  # fmt: skip
ONLY = {"ff_factor": (4,)}
CLASSES = classes("Falcon", "ForTokenClassification", "ForQuestionAnswering")
MODULES = {"decoder.embedding": "word_embeddings", "decoder.*layer": "h", "decoder.final_norm": "ln_f"}


@dataclass(frozen=True)
class Config:
    """The keys of a Falcon configuration; the defaults are those of Falcon-7B."""

    vocab_size: int = key(65024)
    hidden_size: int = key(4544)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(71)
    num_kv_heads: int | None = key(None)
    ffn_hidden_size: int | None = key(None)
    num_ln_in_parallel_attn: int | None = key(None)
    new_decoder_architecture: bool = key(False)
    multi_query: bool = key(True)
    parallel_attn: bool = key(True)
    alibi: bool = key(False)
    bias: bool = key(False)
    activation: str = key("gelu")
    max_position_embeddings: int = key(2048)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide or turn, and for norms that the layer does not have."""
    (usual_check if c.alibi else rotary_check)(c)
    if c.new_decoder_architecture:
        divides(c, "num_kv_heads", "num_attention_heads")
        if not c.parallel_attn:
            raise SizeError("parallel_attn = false; with new_decoder_architecture a layer is parallel: true is needed")
    elif not c.multi_query and c.num_kv_heads not in (None, c.num_attention_heads):
        raise SizeError(
            f"num_kv_heads = {c.num_kv_heads}; it is num_attention_heads = {c.num_attention_heads} without multi_query "
            "and new_decoder_architecture"
        )
    norms = (None, 1, 2) if c.new_decoder_architecture or not c.parallel_attn else (None, 1)
    if c.num_ln_in_parallel_attn not in norms:
        raise SizeError(
            f"num_ln_in_parallel_attn = {c.num_ln_in_parallel_attn}; a layer has "
            f"{'one norm or two' if 2 in norms else 'one norm without new_decoder_architecture'}"
        )


def build(c: Config, task: str) -> Plan:
    """The plan of a Falcon; its feed-forward network is 4·d_model wide unless ffn_hidden_size says otherwise."""
    single = c.multi_query and not c.new_decoder_architecture
    groups = g if single or c.num_kv_heads not in (None, c.num_attention_heads) else h
    attending = causal(MultiHead(Heads(h, groups, d_k, d_k, bias=c.bias), rotate=None if c.alibi else rotary))
    attend = WithAlibi(attending) if c.alibi else attending
    feed = FeedForward((d_ff,), bias=c.bias, activation=c.activation)
    layer = _layer(c)(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings)
    rules = {"d_k": d_model / h} | ({} if c.ffn_hidden_size else {"d_ff": 4 * d_model})
    unread = single and c.num_kv_heads not in (None, 1, c.num_attention_heads)
    note = f"multi_query: one head of keys and values, num_kv_heads = {c.num_kv_heads} is not read"
    return Plan(
        function,
        rules,
        {} if groups == g else {"g": "h"},
        {"g": 1} if single else {},
        longest=c.max_position_embeddings,
        conditions=(grouped(),),
        notes=(note,) if unread else (),
    )


def _layer(c: Config) -> Callable[[Attend, Feed, Norm], Layer]:
    """One norm for both sublayers, two where the new architecture has them; or one sublayer after the other."""
    if c.new_decoder_architecture and c.num_ln_in_parallel_attn != 1:
        return ParallelOfTwoNorms
    return Parallel if c.parallel_attn else PreNorm
