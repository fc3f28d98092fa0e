"""The transformer of the paper that introduced it (Vaswani et al. 2017), from the keys of a configuration: as
torch.nn.Transformer computes it, with one token table for source, target and head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from shapeviz.blocks.attention import CAUSAL, Cache, Heads, MultiHead, Scores
from shapeviz.blocks.decoder import PostNormDecoder
from shapeviz.blocks.embedding import embedding, times_root
from shapeviz.blocks.encoder import PostNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.linear import head
from shapeviz.blocks.norm import LayerNorm
from shapeviz.blocks.position import sinusoidal
from shapeviz.keys import key
from shapeviz.lang import Variable, param, state
from shapeviz.models._checks import divides
from shapeviz.models._encoder_decoder import Stack, encoder_decoder
from shapeviz.models._letters import B, N_dec, N_enc, S, T, V, d_ff, d_k, d_model, h
from shapeviz.models._plan import Plan

SYMBOLS = {
    "V": "vocab_size", "N_enc": "encoder_layers", "N_dec": "decoder_layers", "d_model": "d_model", "h": "num_heads",
    "d_ff": "d_ff",
}  # fmt: skip
IGNORED = {"dropout", "label_smoothing"}
CLASSES = {"Transformer": "lm", "TransformerModel": ""}
MODULES = {
    "encoder.embedding": "embed", "encoder.layer": "encoder.layers", "encoder.final_norm": "encoder.norm",
    "decoder.layer": "decoder.layers", "decoder.final_norm": "decoder.norm", "head": "lm_head",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a configuration; the defaults are those of the paper's base model (table 3).

    `final_norm` is a norm after the last layer of each stack, which PyTorch's class has and the paper does not.
    """

    vocab_size: int = key(37000)
    d_model: int = key(512)
    d_ff: int = key(2048)
    num_heads: int = key(8)
    encoder_layers: int = key(6)
    decoder_layers: int = key(6)
    tie_word_embeddings: bool = key(True)
    bias: bool = key(True)
    final_norm: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width."""
    divides(c, "num_heads", "d_model")


def build(c: Config, task: str) -> Plan:
    """The plan of a transformer; without biases its norms have none either."""
    attend = MultiHead(Heads(h, h, d_k, d_k, bias=c.bias))
    cross = replace(attend, cache=Cache(B * S, grows=False))
    masked = replace(attend, scores=Scores(CAUSAL), cache=Cache(B * T))
    feed, norm = FeedForward((d_ff,), bias=c.bias), LayerNorm(shift=c.bias)
    stack = partial(Stack, embed=_embed, final_norm=norm if c.final_norm else None)
    function = encoder_decoder(
        stack(N_enc, partial(PostNorm, feed=feed, norm=norm), attend),
        stack(N_dec, partial(PostNormDecoder, cross=cross, feed=feed, norm=norm), masked),
        task,
        partial(_read, task, c.tie_word_embeddings),
    )
    return Plan(function, {"d_k": d_model / h}, legend={"S": "source length"})


def _embed(ids: Variable, table: Variable) -> Variable:
    return sinusoidal(times_root(embedding(ids, table, V), d_model), name="positions")


def _read(task: str, tied: bool, y: Variable, table: Variable) -> Variable:
    if not task:
        return y
    return state("logits", head(y, table if tied else param("W_H", V, d_model), V))
