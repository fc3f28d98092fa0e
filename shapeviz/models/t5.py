"""T5: an encoder and a decoder without biases, with relative positions and RMSNorm before each sublayer
(Raffel et al. 2020, section 2.1; version 1.1 has a gated feed-forward network: Shazeer 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from shapeviz.blocks.attention import CAUSAL, Cache, Heads, MultiHead, Scores
from shapeviz.blocks.decoder import PreNormDecoder
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward, GatedFeedForward
from shapeviz.blocks.linear import head
from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.relative import OwnRelative, Relative
from shapeviz.blocks.sublayer import Attend, Layer
from shapeviz.errors import SizeError
from shapeviz.expr import Expr
from shapeviz.keys import SWITCH, TEXT, key
from shapeviz.lang import Variable, param, sqrt, state
from shapeviz.models._checks import known, known_activations
from shapeviz.models._encoder_decoder import Stack, encoder_decoder
from shapeviz.models._encoder_only import classified
from shapeviz.models._letters import B, C, N_dec, N_enc, S, T, V, d_ff, d_k, d_model, h
from shapeviz.models._plan import Plan

SYMBOLS = {
    "V": "vocab_size", "N_enc": "num_layers", "N_dec": "num_decoder_layers", "d_model": "d_model", "h": "num_heads",
    "d_k": "d_kv", "d_ff": "d_ff", "n_buckets": "relative_attention_num_buckets",
}  # fmt: skip
ALIASES = {
    "hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers", "head_dim": "d_kv",
}  # fmt: skip
IGNORED = {
    "relative_attention_max_distance", "dropout_rate", "classifier_dropout", "layer_norm_epsilon",
    "scale_decoder_outputs",
}  # fmt: skip
CLASSES = {
    "T5ForConditionalGeneration": "lm", "T5WithLMHeadModel": "lm", "T5Model": "", "T5EncoderModel": "encoder",
    "T5ForSequenceClassification": "sequence", "T5ForTokenClassification": "token",
    "T5ForQuestionAnswering": "questions",
}  # fmt: skip
MODULES = {
    "encoder.embedding": "shared", "encoder.relative": "encoder.block", "encoder.layer": "encoder.block",
    "encoder.final_norm": "encoder.final_layer_norm", "decoder.relative": "decoder.block",
    "decoder.layer": "decoder.block", "decoder.final_norm": "decoder.final_layer_norm", "head": "lm_head",
    "dense": "classification_head", "sequence_classifier": "classification_head", "classifier": "classifier",
    "span": "qa_outputs",
}  # fmt: skip
LEGEND = {"n_buckets": "distances that are told apart", "S": "source length"}
n_buckets = Expr.of("n_buckets")


@dataclass(frozen=True)
class Config:
    """The keys of a T5 configuration; the defaults are those of T5-small.

    is_gated_act and dense_act_fn go before what feed_forward_proj says.
    """

    vocab_size: int = key(32128)
    d_model: int = key(512)
    d_kv: int = key(64)
    d_ff: int = key(2048)
    num_layers: int = key(6)
    num_decoder_layers: int | None = key(None)
    num_heads: int = key(8)
    relative_attention_num_buckets: int = key(32)
    feed_forward_proj: str = key("relu")
    is_gated_act: bool | None = key(None, SWITCH)
    dense_act_fn: str | None = key(None, TEXT)
    n_positions: int = key(512)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for a feed-forward network that has no such name, and for an unknown activation."""
    known_activations(c)
    gate, _, function = c.feed_forward_proj.rpartition("-")
    if gate not in ("", "gated") or not function:
        raise SizeError(f"feed_forward_proj = {c.feed_forward_proj}: relu is a name, and gated-gelu, of any function")
    if not c.dense_act_fn:
        known("feed_forward_proj", function)


def build(c: Config, task: str, shared: bool = True) -> Plan:
    """The plan of a T5: each stack has one table of relative positions, `shared` by its layers; one token table for
    all, but a head of its own where tie_word_embeddings is false, as in version 1.1."""
    gate, _, named = c.feed_forward_proj.rpartition("-")
    gated = bool(gate) if c.is_gated_act is None else c.is_gated_act
    function = c.dense_act_fn or ("gelu_new" if c.feed_forward_proj == "gated-gelu" else named)
    feed = (GatedFeedForward if gated else FeedForward)((d_ff,), bias=False, activation=function)
    attend = MultiHead(Heads(h, h, d_k, d_k, bias=False), Scores(scaled=False))
    cross = replace(attend, cache=Cache(B * S, grows=False))
    masked = replace(attend, scores=Scores(CAUSAL, scaled=False), cache=Cache(B * T))
    shift = Relative(n_buckets, h) if shared else None
    first = partial(PreNorm, feed=feed, norm=rms_norm)
    second = partial(PreNormDecoder, cross=cross, feed=feed, norm=rms_norm)
    stack = partial(Stack, embed=partial(embedding, vocabulary=V), shift=shift, final_norm=rms_norm)
    function_of = encoder_decoder(
        stack(N_enc, first if shared else _alone(first), attend),
        stack(N_dec, second if shared else _alone(second), masked),
        task,
        partial(_read, task, c.tie_word_embeddings),
    )
    rules = {} if c.num_decoder_layers else {"N_dec": N_enc}
    return Plan(function_of, rules, legend=LEGEND, longest=c.n_positions)


def _alone(layer: Callable[[Attend], Layer]) -> Callable[[Attend], Layer]:
    """The layer with positions of its own in its attention."""

    def made(attend: Attend) -> Layer:
        return layer(OwnRelative(attend, n_buckets) if isinstance(attend, MultiHead) else attend)

    return made


def _read(task: str, tied: bool, y: Variable, table: Variable) -> Variable:
    match task:
        case "lm" if tied:
            return state("logits", head(y / sqrt(d_model), table, V))
        case "lm":
            return state("logits", head(y, param("W_H", V, d_model), V))
        case "sequence" | "token" | "questions":
            return classified(y, task, C)
    return y
