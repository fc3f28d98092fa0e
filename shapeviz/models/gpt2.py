"""GPT-2: a decoder with LayerNorm before each sublayer and learned positions (Radford et al. 2019, section 2.3)."""

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
from shapeviz.models._letters import N, P, d_ff, d_k, d_model, h
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
    "n_ctx", "resid_pdrop", "embd_pdrop", "attn_pdrop", "layer_norm_epsilon", "scale_attn_weights",
    "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "n_special", "predict_special_tokens",
}  # fmt: skip
CLASSES = classes("GPT2", "ForTokenClassification", "ForQuestionAnswering", lm="LMHeadModel")
MODULES = {
    "decoder.embedding": "wte", "decoder.positions": "wpe", "decoder.*layer": "h", "decoder.final_norm": "ln_f",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a GPT-2 configuration; the defaults are those of the smallest."""

    vocab_size: int = key(50257)
    n_positions: int = key(1024)
    n_embd: int = key(768)
    n_layer: int = key(12)
    n_head: int = key(12)
    n_inner: int | None = key(None)
    activation_function: str = key("gelu_new")
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, and for an unknown activation."""
    divides(c, "n_head", "n_embd")
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a GPT-2; its feed-forward network is 4·d_model wide unless n_inner says otherwise."""
    attend = causal(MultiHead(Heads(h, h, d_k, d_k)))
    feed = FeedForward((d_ff,), activation=c.activation_function)
    layer = PreNorm(attend, feed, layer_norm)
    function = decoder_only(
        [Layers(N, layer)],
        layer_norm,
        task,
        c.tie_word_embeddings,
        embed=partial(learned, length=P, name="positions"),
    )
    rules = {"d_k": d_model / h} | ({} if c.n_inner else {"d_ff": 4 * d_model})
    return Plan(function, rules, longest=c.n_positions, limited=True)
