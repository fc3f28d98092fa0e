"""Command R: attention and feed-forward network side by side behind one LayerNorm without a shift, a tied head
(Cohere 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.attention import multi_head
from shapeviz.blocks.feed_forward import gated_feed_forward
from shapeviz.blocks.norm import heads_layer_norm, layer_norm
from shapeviz.blocks.parallel import parallel_layer
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._decoder_only import ROTARY, SIZES, USUAL_MODULES, decoder_only
from shapeviz.models._plan import Layers, N, Plan, d_ff, grouped, h, heads, kept, rotary_check

SYMBOLS = SIZES
IGNORED = ROTARY | {"layer_norm_eps", "logit_scale", "attention_dropout", "model_max_length", "pretraining_tp"}
CLASSES = {"CohereForCausalLM": "lm", "CohereModel": ""}
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a Command R configuration; the defaults are those of the 35 billion model."""

    vocab_size: int = key(256000)
    hidden_size: int = key(8192)
    intermediate_size: int = key(22528)
    num_hidden_layers: int = key(40)
    num_attention_heads: int = key(64)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(8192)
    attention_bias: bool = key(False)
    use_qk_norm: bool = key(False)
    tie_word_embeddings: bool = key(True)


check = rotary_check


def build(c: Config, task: str) -> Plan:
    """The plan of a Command R; with use_qk_norm every head's queries and keys are normalised by themselves."""
    groups, d_k, rules, aliases = heads(c)
    attend = partial(
        multi_head, h=h, g=groups, d_k=d_k, d_v=d_k, bias=c.attention_bias, mask="causal", rotate=rotary,
        norm=heads_layer_norm if c.use_qk_norm else None, cache=kept(),
    )  # fmt: skip
    feed = partial(gated_feed_forward, widths=(d_ff,), bias=False, activation=c.hidden_act)
    norm = partial(layer_norm, shift=False)
    layer = partial(parallel_layer, attend=attend, feed=feed, norm=norm)
    function = decoder_only([Layers(N, layer)], norm, task, c.tie_word_embeddings)
    return Plan(function, rules, aliases, longest=c.max_position_embeddings, conditions=(grouped(),))
