"""OPT: a decoder like GPT-3's, with learned positions and ReLU (Zhang et al. 2022, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PostNorm, PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.linear import linear
from shapeviz.blocks.norm import LayerNorm
from shapeviz.blocks.position import learned
from shapeviz.expr import Expr
from shapeviz.keys import key
from shapeviz.lang import Variable
from shapeviz.models._checks import usual_check
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, P, d_ff, d_k, d_model, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "P": "max_position_embeddings", "N": "num_hidden_layers", "d_model": "hidden_size",
    "h": "num_attention_heads", "d_ff": "ffn_dim", "d_w": "word_embed_proj_dim",
}  # fmt: skip
IGNORED = {"dropout", "attention_dropout", "activation_dropout", "layerdrop", "init_std", "scale_embeddings"}
ONLY = {"learned_embeddings": (True,)}
CLASSES = classes("OPT", "ForQuestionAnswering")
MODULES = {
    "decoder.embedding": "decoder.embed_tokens", "decoder.positions": "decoder.embed_positions",
    "decoder.project_in": "decoder.project_in", "decoder.*layer": "decoder.layers",
    "decoder.final_norm": "decoder.final_layer_norm", "decoder.project_out": "decoder.project_out",
}  # fmt: skip
OFFSET = 2  # rows of the position table before the first position
d_w = Expr.of("d_w")


@dataclass(frozen=True)
class Config:
    """The keys of an OPT configuration; the defaults are those of OPT-125M."""

    vocab_size: int = key(50272)
    hidden_size: int = key(768)
    num_hidden_layers: int = key(12)
    ffn_dim: int = key(3072)
    num_attention_heads: int = key(12)
    activation_function: str = key("relu")
    max_position_embeddings: int = key(2048)
    word_embed_proj_dim: int | None = key(None)
    do_layer_norm_before: bool = key(True)
    _remove_final_layer_norm: bool = key(False)
    enable_bias: bool = key(True)
    layer_norm_elementwise_affine: bool = key(True)
    tie_word_embeddings: bool = key(True)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of an OPT; where tokens' vectors are d_w wide, one map leads into the stack and another out of it."""
    narrow = c.word_embed_proj_dim not in (None, c.hidden_size)
    affine = c.layer_norm_elementwise_affine
    norm = LayerNorm(scale=affine, shift=affine)
    attend = causal(MultiHead(Heads(h, h, d_k, d_k, bias=c.enable_bias)))
    feed = FeedForward((d_ff,), bias=c.enable_bias, activation=c.activation_function)
    one = PreNorm if c.do_layer_norm_before else PostNorm

    def embed(x: Variable, /, *, name: str = "", title: str = "") -> Variable:
        x = linear(x, d_model, bias=False, letter="in", name="project_in") if narrow else x
        return learned(x, length=P + OFFSET, name="positions")

    function = decoder_only(
        [Layers(N, one(attend, feed, norm))],
        norm if c.do_layer_norm_before and not c._remove_final_layer_norm else None,
        task,
        c.tie_word_embeddings,
        embed=embed,
        width=d_w if narrow else None,
        project=d_w if narrow else None,
    )
    legend = {"P": "positions", "d_w": "width of a token's vector"}
    rules = {"d_k": d_model / h}
    return Plan(function, rules, legend=legend, longest=c.max_position_embeddings, limited=True)
