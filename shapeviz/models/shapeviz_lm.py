"""The language model that `shapeviz train` trains: a decoder with norms before its sublayers, and options of the field.

Its module is shapeviz.nets.language_model; a run folder's config.json has these keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.attention import Heads, MultiHead, QKNorm
from shapeviz.blocks.embedding import times_root
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward, GatedFeedForward
from shapeviz.blocks.norm import LayerNorm, rms_norm
from shapeviz.blocks.position import learned, rotary, sinusoidal
from shapeviz.blocks.sublayer import Norm, Step
from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.keys import key
from shapeviz.lang import Variable
from shapeviz.models._checks import divides
from shapeviz.models._decoder_only import decoder_only
from shapeviz.models._letters import N, P, d_ff, d_k, d_model, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "P": "max_position_embeddings", "N": "num_hidden_layers", "d_model": "hidden_size",
    "h": "num_attention_heads", "d_ff": "intermediate_size",
}  # fmt: skip
IGNORED: set[str] = set()
CLASSES = {"ShapevizLM": "lm", "ShapevizLMModel": ""}
PREFIX = ""
MODULES = {
    "decoder.embedding": "embedding", "decoder.positions": "positions", "decoder.*layer": "layers",
    "decoder.final_norm": "final_norm",
}  # fmt: skip
CHOICES = {
    "positions": ("learned", "rotary", "sinusoidal"), "norm": ("layer", "rms"), "activation": ("gelu", "relu2", "silu"),
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The keys of a configuration; the defaults are those of `shapeviz train`.

    A feed-forward network is 4·d_model wide unless intermediate_size says otherwise; without `bias` the norms have none
    either; `qk_norm` is an RMSNorm of every head's queries and keys; `dropout` is that of the residual stream, of the
    embedding and of the attention weights.
    """

    vocab_size: int = key(65)
    hidden_size: int = key(128)
    num_hidden_layers: int = key(4)
    num_attention_heads: int = key(4)
    intermediate_size: int | None = key(None)
    max_position_embeddings: int = key(64)
    positions: str = key("learned")
    norm: str = key("layer")
    activation: str = key("gelu")
    gated: bool = key(False)
    qk_norm: bool = key(False)
    bias: bool = key(True)
    tie_word_embeddings: bool = key(True)
    dropout: float = key(0.0)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, or rotary ones of odd width, InputError for choices."""
    divides(c, "num_attention_heads", "hidden_size")
    for name, choices in CHOICES.items():
        if getattr(c, name) not in choices:
            raise InputError(f"{name} = {getattr(c, name)!r}: {nearest(str(getattr(c, name)), choices)}")
    if not 0 <= c.dropout < 1:
        raise InputError(f"dropout = {c.dropout}: a number from 0 to below 1 is needed")
    width = c.hidden_size // c.num_attention_heads
    if c.positions == "rotary" and width % 2:
        raise SizeError(
            f"hidden_size = {c.hidden_size}, num_attention_heads = {c.num_attention_heads}: rotary positions turn "
            f"pairs of features, and a head is {width} wide; nearest: hidden_size {(width + 1) * c.num_attention_heads}"
        )


def build(c: Config, task: str) -> Plan:
    """The plan of the model."""
    norm: Norm = rms_norm if c.norm == "rms" else LayerNorm(shift=c.bias)
    attending = MultiHead(
        Heads(h, h, d_k, d_k, bias=c.bias),
        norm=QKNorm(rms_norm) if c.qk_norm else None,
        rotate=rotary if c.positions == "rotary" else None,
    )
    attend = causal(attending)
    feed = (GatedFeedForward if c.gated else FeedForward)((d_ff,), c.bias, c.activation)
    layer = PreNorm(attend, feed, norm)
    function = decoder_only([Layers(N, layer)], norm, task, c.tie_word_embeddings, embed=EMBED[c.positions])
    rules = {"d_k": d_model / h} | ({} if c.intermediate_size else {"d_ff": 4 * d_model})
    return Plan(function, rules, longest=c.max_position_embeddings, limited=True)


def _sinusoidal(x: Variable, /, *, name: str = "", title: str = "") -> Variable:
    return sinusoidal(times_root(x, d_model), name="positions")


EMBED: dict[str, Step | None] = {
    "learned": partial(learned, length=P, name="positions"), "sinusoidal": _sinusoidal, "rotary": None,
}  # fmt: skip
