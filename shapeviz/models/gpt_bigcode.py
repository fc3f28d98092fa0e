"""GPT-BigCode (SantaCoder, StarCoder): a GPT-2 whose heads share one key and one value (Li et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.position import learned
from shapeviz.keys import key
from shapeviz.models._checks import divides, known_activations
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, P, d_ff, d_k, d_model, g, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "P": "n_positions", "N": "n_layer", "d_model": "n_embd", "h": "n_head", "d_ff": "n_inner",
}  # fmt: skip
ALIASES = {
    "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}  # fmt: skip
IGNORED = {
    "resid_pdrop", "embd_pdrop", "attn_pdrop", "layer_norm_epsilon", "scale_attn_weights", "attention_softmax_in_fp32",
    "scale_attention_softmax_in_fp32", "inference_runner", "validate_runner_input", "pre_allocate_kv_cache",
    "pad_key_length", "classifier_dropout", "num_key_value_heads",
}  # fmt: skip
CLASSES = classes("GPTBigCode", "ForTokenClassification")
MODULES = {
    "decoder.embedding": "wte", "decoder.positions": "wpe", "decoder.*layer": "h", "decoder.final_norm": "ln_f",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a GPT-BigCode configuration; the defaults are those that its documentation states."""

    vocab_size: int = key(50257)
    n_positions: int = key(1024)
    n_embd: int = key(768)
    n_layer: int = key(12)
    n_head: int = key(12)
    n_inner: int | None = key(None)
    activation_function: str = key("gelu_pytorch_tanh")
    multi_query: bool = key(True)
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, and for an unknown activation."""
    divides(c, "n_head", "n_embd")
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a GPT-BigCode; its feed-forward network is 4·d_model wide unless n_inner says otherwise."""
    groups = g if c.multi_query else h
    attend = causal(MultiHead(Heads(h, groups, d_k, d_k)))
    feed = FeedForward((d_ff,), activation=c.activation_function)
    function = decoder_only(
        [Layers(N, PreNorm(attend, feed, layer_norm))],
        layer_norm,
        task,
        c.tie_word_embeddings,
        embed=partial(learned, length=P, name="positions"),
    )
    rules = {"d_k": d_model / h} | ({} if c.n_inner else {"d_ff": 4 * d_model})
    return Plan(function, rules, values={"g": 1} if c.multi_query else {}, longest=c.n_positions, limited=True)
