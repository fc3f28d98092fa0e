"""BERT: an encoder with the norm after each sublayer, learned positions and token types
(Devlin et al. 2019, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.keys import key
from shapeviz.models._checks import usual_check
from shapeviz.models._encoder_only import (
    SIZES,
    TABLES,
    TaskHeads,
    classes,
    encoder_only,
    letters,
    post_norm,
    sum_of_tables,
)
from shapeviz.models._letters import N, d_model, h
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES
IGNORED = {
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "layer_norm_eps", "directionality",
    "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
}  # fmt: skip
ONLY = {"position_embedding_type": ("absolute",)}
CLASSES = classes("Bert", "ForPreTraining", "LMHeadModel", "ForNextSentencePrediction")
MODULES = TABLES | {
    "encoder.layer": "encoder", "pooler": "pooler", "transform": "cls", "head": "cls", "spare_bias": "cls",
    "next_sentence": "cls", "classifier": "classifier", "span": "qa_outputs",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a BERT configuration; the defaults are those of BERT-base, uncased."""

    vocab_size: int = key(30522)
    hidden_size: int = key(768)
    num_hidden_layers: int = key(12)
    num_attention_heads: int = key(12)
    intermediate_size: int = key(3072)
    hidden_act: str = key("gelu")
    max_position_embeddings: int = key(512)
    type_vocab_size: int = key(2)
    tie_word_embeddings: bool = key(True)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a BERT."""
    read = partial(TaskHeads(c.hidden_act, c.tie_word_embeddings).read, task)
    function = encoder_only([Layers(N, post_norm(c.hidden_act))], sum_of_tables, read)
    rules = {"d_k": d_model / h}
    return Plan(function, rules, legend=letters(task), longest=c.max_position_embeddings, limited=True)
