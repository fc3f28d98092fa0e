"""RoBERTa: a BERT whose positions are counted from behind the padding token's, with other heads (Liu et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.errors import SizeError
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
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "layer_norm_eps",
    "create_attention",
}
ONLY = {"position_embedding_type": ("absolute",)}
CLASSES = classes("Roberta", "ForCausalLM")
MODULES = TABLES | {
    "encoder.layer": "encoder", "pooler": "pooler", "transform": "lm_head", "head": "lm_head", "spare_bias": "lm_head",
    "dense": "classifier", "classifier": "classifier", "span": "qa_outputs",
}  # fmt: skip
OFFSET = 2  # rows of the position table before the first token's: up to the padding token's own


@dataclass(frozen=True)
class Config:
    """The keys of a RoBERTa configuration; the defaults are those of its documentation."""

    vocab_size: int = key(50265)
    hidden_size: int = key(768)
    num_hidden_layers: int = key(12)
    num_attention_heads: int = key(12)
    intermediate_size: int = key(3072)
    hidden_act: str = key("gelu")
    max_position_embeddings: int = key(512)
    type_vocab_size: int = key(2)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError as usual, and for a position table without a free row."""
    usual_check(c)
    if c.max_position_embeddings <= OFFSET:
        raise SizeError(
            f"max_position_embeddings = {c.max_position_embeddings}: more than {OFFSET} rows are needed, "
            "which come before the first token's"
        )


def build(c: Config, task: str) -> Plan:
    """The plan of a RoBERTa; its classifier of sequences maps the first token's vector once more."""
    read = partial(TaskHeads(c.hidden_act, c.tie_word_embeddings, pools={"sequence": "dense"}).read, task)
    function = encoder_only([Layers(N, post_norm(c.hidden_act))], sum_of_tables, read)
    rules, longest = {"d_k": d_model / h}, c.max_position_embeddings - OFFSET
    return Plan(function, rules, legend=letters(task), longest=longest, limited=True)
