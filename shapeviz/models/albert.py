"""ALBERT: a BERT whose layers share their weights, with a narrow token table (Lan et al. 2020, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Layer
from shapeviz.expr import Expr
from shapeviz.keys import key
from shapeviz.lang import Variable, block, repeat
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
    token_inputs,
)  # fmt: skip
from shapeviz.models._letters import C, N, d_model, h
from shapeviz.models._plan import Layers, Plan

SYMBOLS = SIZES | {"G": "num_hidden_groups", "N_in": "inner_group_num", "d_emb": "embedding_size"}
IGNORED = {
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob", "layer_norm_eps",
    "down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks",
}  # fmt: skip
ONLY = {"position_embedding_type": ("absolute",)}
CLASSES = classes("Albert", "ForPreTraining")
MODULES = TABLES | {
    "encoder.mapping": "encoder.embedding_hidden_mapping_in", "encoder.layer*": "encoder.albert_layer_groups",
    "pooler": "pooler", "transform": "predictions", "head": "predictions", "spare_bias": "predictions",
    "sentence_order": "sop_classifier", "classifier": "classifier", "span": "qa_outputs",
}  # fmt: skip
LEGEND = {"G": "groups of layers that share weights", "N_in": "layers of a group", "d_emb": "token vectors' width"}
G, N_in, d_emb = map(Expr.of, LEGEND)


@dataclass(frozen=True)
class Config:
    """The keys of an ALBERT configuration; the defaults are those of ALBERT-xxlarge."""

    vocab_size: int = key(30000)
    embedding_size: int = key(128)
    hidden_size: int = key(4096)
    num_hidden_layers: int = key(12)
    num_hidden_groups: int = key(1)
    num_attention_heads: int = key(64)
    intermediate_size: int = key(16384)
    inner_group_num: int = key(1)
    hidden_act: str = key("gelu_new")
    max_position_embeddings: int = key(512)
    type_vocab_size: int = key(2)
    tie_word_embeddings: bool = key(True)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of an ALBERT: N layers run, the weights of G of them are kept."""
    layer = post_norm(c.hidden_act)
    layers = Layers(N, Group(layer), "layer_group", "Group of layers") if c.inner_group_num > 1 else Layers(N, layer)
    heads = TaskHeads(c.hidden_act, c.tie_word_embeddings, width=d_emb, pair="sentence_order", pairs=C)
    take = partial(token_inputs, d_emb)
    function = encoder_only([layers], _mapped, partial(heads.read, task), take, copies=G)
    legend = letters(task) | LEGEND
    return Plan(function, {"d_k": d_model / h}, legend=legend, longest=c.max_position_embeddings, limited=True)


def _mapped(ids: Variable, table: Variable | None) -> Variable:
    """The token vectors, made as wide as the model."""
    return linear(sum_of_tables(ids, table), d_model, letter="in", name="mapping")


@dataclass(frozen=True)
class Group(Layer):
    """Several layers as one."""

    layer: Layer

    @block(kind="layer_group", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← EncoderLayer^N_in(x)

        x [B S d_model] → the same.
        """
        return repeat(N_in, self.layer, x)
