"""DistilBERT: a BERT of half the layers, without token types and pooler (Sanh et al. 2019, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.keys import key
from shapeviz.models._checks import divides, known_activations
from shapeviz.models._encoder_only import TaskHeads, classes, encoder_only, letters, post_norm, sum_of_tables
from shapeviz.models._letters import N, d_model, h
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "P": "max_position_embeddings", "N": "n_layers", "d_model": "dim", "h": "n_heads",
    "d_ff": "hidden_dim",
}  # fmt: skip
ALIASES = {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"}
IGNORED = {"dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds", "tie_weights_"}
CLASSES = classes("DistilBert")
MODULES = {
    "encoder.embedding": "embeddings.word_embeddings", "encoder.positions": "embeddings.position_embeddings",
    "encoder.embedding_norm": "embeddings.LayerNorm", "encoder.layer": "transformer",
    "transform.linear": "vocab_transform", "transform.norm": "vocab_layer_norm", "head": "vocab_projector",
    "pre_classifier": "pre_classifier", "classifier": "classifier", "span": "qa_outputs",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a DistilBERT configuration; the defaults are those of DistilBERT-base, uncased."""

    vocab_size: int = key(30522)
    max_position_embeddings: int = key(512)
    n_layers: int = key(6)
    n_heads: int = key(12)
    dim: int = key(768)
    hidden_dim: int = key(3072)
    activation: str = key("gelu")
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, and for an unknown activation."""
    divides(c, "n_heads", "dim")
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a DistilBERT; a classifier of sequences maps the first token's vector once more."""
    pools = dict.fromkeys(("sequence", "choice"), "pre_classifier")
    heads = TaskHeads(c.activation, c.tie_word_embeddings, pooled=False, pools=pools, pool="relu", spare=False)
    function = encoder_only(
        [Layers(N, post_norm(c.activation))], partial(sum_of_tables, types=False), partial(heads.read, task)
    )
    rules = {"d_k": d_model / h}
    return Plan(function, rules, legend=letters(task), longest=c.max_position_embeddings, limited=True)
