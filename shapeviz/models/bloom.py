"""BLOOM: a decoder with ALiBi and a LayerNorm on the tokens' vectors (BigScience Workshop 2022, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.alibi import WithAlibi
from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.keys import key
from shapeviz.models._checks import divides
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, d_ff, d_k, d_model, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {"V": "vocab_size", "N": "n_layer", "d_model": "hidden_size", "h": "n_head"}
ALIASES = {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "n_embed": "hidden_size"}
IGNORED = {
    "layer_norm_epsilon", "hidden_dropout", "attention_dropout", "pretraining_tp", "slow_but_exact", "offset_alibi",
    "attention_softmax_in_fp32", "masked_softmax_fusion", "bias_dropout_fusion", "skip_bias_add", "skip_bias_add_qkv",
    "apply_residual_connection_post_layernorm", "classifier_dropout",
}  # fmt: skip
ONLY = {"n_inner": ()}
CLASSES = classes("Bloom", "ForTokenClassification", "ForQuestionAnswering")
MODULES = {
    "decoder.embedding": "word_embeddings", "decoder.embedding_norm": "word_embeddings_layernorm",
    "decoder.*layer": "h", "decoder.final_norm": "ln_f",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a BLOOM configuration; the defaults are those that its documentation states."""

    vocab_size: int = key(250880)
    hidden_size: int = key(64)
    n_layer: int = key(2)
    n_head: int = key(8)
    seq_length: int | None = key(None)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width."""
    divides(c, "n_head", "hidden_size")


def build(c: Config, task: str) -> Plan:
    """The plan of a BLOOM; its feed-forward network is 4·d_model wide."""
    attend = WithAlibi(causal(MultiHead(Heads(h, h, d_k, d_k))))
    feed = FeedForward((d_ff,), activation="gelu_new")
    layer = PreNorm(attend, feed, layer_norm)
    function = decoder_only(
        [Layers(N, layer)],
        layer_norm,
        task,
        c.tie_word_embeddings,
        embed=partial(layer_norm, name="embedding_norm", title="Embedding norm"),
    )
    return Plan(function, {"d_k": d_model / h, "d_ff": 4 * d_model}, longest=c.seq_length)
