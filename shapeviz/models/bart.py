"""BART: an encoder and a decoder with the norm after each sublayer and learned positions (Lewis et al. 2020,
section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from shapeviz.blocks.attention import CAUSAL, Cache, Heads, MultiHead, Scores
from shapeviz.blocks.decoder import PostNormDecoder
from shapeviz.blocks.embedding import embedding, times_root
from shapeviz.blocks.encoder import PostNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.linear import fixed_bias, head
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.pooling import unread
from shapeviz.blocks.position import learned
from shapeviz.expr import Expr
from shapeviz.keys import key
from shapeviz.lang import Variable, param, state
from shapeviz.models._checks import divides, known_activations
from shapeviz.models._encoder_decoder import Stack, encoder_decoder, target_limit
from shapeviz.models._encoder_only import classified
from shapeviz.models._letters import B, C, N_dec, N_enc, P, S, T, V, d_ff, d_k, d_model, h
from shapeviz.models._plan import Plan

SYMBOLS = {
    "V": "vocab_size", "P": "max_position_embeddings", "N_enc": "encoder_layers", "N_dec": "decoder_layers",
    "d_model": "d_model", "h": "encoder_attention_heads", "h_dec": "decoder_attention_heads",
    "d_ff": "encoder_ffn_dim", "d_ff_dec": "decoder_ffn_dim",
}  # fmt: skip
ALIASES = {
    "hidden_size": "d_model", "num_attention_heads": "encoder_attention_heads", "num_hidden_layers": "encoder_layers",
}  # fmt: skip
IGNORED = {
    "dropout", "attention_dropout", "activation_dropout", "classifier_dropout", "classif_dropout", "encoder_layerdrop",
    "decoder_layerdrop", "init_std", "force_bos_token_to_be_generated", "save_step", "student_encoder_layers",
    "student_decoder_layers",
}  # fmt: skip
ONLY = {
    "do_blenderbot_90_layernorm": (False,),
    "add_bias_logits": (False,), "add_final_layer_norm": (False,), "normalize_before": (False,),
    "normalize_embedding": (True,), "static_position_embeddings": (False,), "extra_pos_embeddings": (2,),
}  # fmt: skip
LABELS = 3
CLASSES = {
    "BartForConditionalGeneration": "lm", "BartModel": "", "BartForSequenceClassification": "sequence",
    "BartForQuestionAnswering": "questions",
}  # fmt: skip
MODULES = {
    "encoder.embedding": "shared", "encoder.positions": "encoder.embed_positions",
    "encoder.embedding_norm": "encoder.layernorm_embedding", "encoder.layer": "encoder.layers",
    "decoder.positions": "decoder.embed_positions", "decoder.embedding_norm": "decoder.layernorm_embedding",
    "decoder.layer": "decoder.layers", "head": "lm_head", "dense": "classification_head",
    "sequence_classifier": "classification_head", "span": "qa_outputs",
}  # fmt: skip
OFFSET = 2  # rows of a position table before the first token's
LEGEND = {
    "h_dec": "heads in the decoder", "d_k_dec": "width of a head in the decoder",
    "d_ff_dec": "feed-forward width in the decoder", "P": f"longest sequence; a position table has {OFFSET} rows more",
    "S": "source length",
}  # fmt: skip
h_dec, d_k_dec, d_ff_dec = map(Expr.of, ("h_dec", "d_k_dec", "d_ff_dec"))


@dataclass(frozen=True)
class Config:
    """The keys of a BART configuration; the defaults are those of BART-large."""

    vocab_size: int = key(50265)
    max_position_embeddings: int = key(1024)
    d_model: int = key(1024)
    encoder_layers: int = key(12)
    encoder_ffn_dim: int = key(4096)
    encoder_attention_heads: int = key(16)
    decoder_layers: int = key(12)
    decoder_ffn_dim: int = key(4096)
    decoder_attention_heads: int = key(16)
    activation_function: str = key("gelu")
    scale_embedding: bool = key(False)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, and for an unknown activation."""
    divides(c, "encoder_attention_heads", "d_model")
    divides(c, "decoder_attention_heads", "d_model")
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a BART; what is equal in encoder and decoder has one letter. Both read one token table, also the
    head's, or else each has its own and one more is read by nothing."""
    alike = c.encoder_attention_heads == c.decoder_attention_heads
    heads, width = (h, d_k) if alike else (h_dec, d_k_dec)
    wide = d_ff if c.encoder_ffn_dim == c.decoder_ffn_dim else d_ff_dec
    tied = c.tie_word_embeddings

    attend, other = MultiHead(Heads(h, h, d_k, d_k)), MultiHead(Heads(heads, heads, width, width))
    feed, second_feed = (FeedForward((ff,), activation=c.activation_function) for ff in (d_ff, wide))
    cross = replace(other, cache=Cache(B * S, grows=False))
    masked = replace(other, scores=Scores(CAUSAL), cache=Cache(B * T))
    first = partial(PostNorm, feed=feed, norm=layer_norm)
    second = partial(PostNormDecoder, cross=cross, feed=second_feed, norm=layer_norm)
    embed = partial(_embed, c.scale_embedding)
    function = encoder_decoder(
        Stack(N_enc, first, attend, embed),
        Stack(N_dec, second, masked, embed),
        task,
        partial(_read, task, tied),
        shared=tied,
    )
    rules = {"d_k": d_model / h} | ({} if alike else {"d_k_dec": d_model / h_dec})
    aliases = {"h_dec": "h"} if alike else {}
    aliases |= {"d_ff_dec": "d_ff"} if wide == d_ff else {}
    longest = c.max_position_embeddings
    limits = (target_limit(longest),)
    return Plan(function, rules, aliases, legend=LEGEND, longest=longest, limited=True, conditions=limits)


def _embed(scaled: bool, ids: Variable, table: Variable) -> Variable:
    x = embedding(ids, table, V)
    x = times_root(x, d_model) if scaled else x
    return layer_norm(learned(x, P + OFFSET, name="positions"), name="embedding_norm", title="Embedding norm")


def _read(task: str, tied: bool, y: Variable, table: Variable) -> Variable:
    y = y if tied else unread(y, V, d_model, name="spare_table")
    match task:
        case "lm":
            logits = head(y, table if tied else param("W_H", V, d_model), V)
            return state("logits", fixed_bias(logits, V, name="logits_bias"))
        case "sequence":
            return classified(y, task, C)
        case "questions":
            return classified(y, task, Expr.of(2))
    return y
