"""GPT-NeoX: attention and feed-forward network side by side, each behind a LayerNorm of its own, rotary positions
(Black et al. 2022, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.parallel import ParallelOfTwoNorms
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import usual_check
from shapeviz.models._decoder_only import ROTARY, classes, decoder_only
from shapeviz.models._letters import N, d_ff, d_k, d_model, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "d_ff": "intermediate_size",
}  # fmt: skip
IGNORED = ROTARY | {
    "layer_norm_eps", "rotary_pct", "rotary_emb_base", "partial_rotary_factor", "attention_dropout", "hidden_dropout",
    "attention_probs_dropout_prob", "hidden_dropout_prob", "classifier_dropout", "custom_pipelines", "num_steps",
}  # fmt: skip
CLASSES = classes("GPTNeoX", "ForTokenClassification", "ForQuestionAnswering")
MODULES = {
    "decoder.embedding": "embed_in", "decoder.*layer": "layers", "decoder.final_norm": "final_layer_norm",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a GPT-NeoX configuration; the defaults are those of GPT-NeoX-20B."""

    vocab_size: int = key(50432)
    hidden_size: int = key(6144)
    intermediate_size: int = key(24576)
    num_hidden_layers: int = key(44)
    num_attention_heads: int = key(64)
    hidden_act: str = key("gelu")
    max_position_embeddings: int = key(2048)
    use_parallel_residual: bool = key(True)
    attention_bias: bool = key(True)
    tie_word_embeddings: bool = key(False)


check = usual_check


def build(c: Config, task: str) -> Plan:
    """The plan of a GPT-NeoX; without use_parallel_residual the two sublayers follow one another."""
    attend = causal(MultiHead(Heads(h, h, d_k, d_k, bias=c.attention_bias), rotate=rotary))
    feed = FeedForward((d_ff,), activation=c.hidden_act)
    one = ParallelOfTwoNorms if c.use_parallel_residual else PreNorm
    layer = one(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings)
    return Plan(function, {"d_k": d_model / h}, longest=c.max_position_embeddings)
