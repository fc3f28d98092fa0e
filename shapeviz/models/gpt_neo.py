"""GPT-Neo: a GPT-2 every other layer of which looks no further back than a window (Black et al. 2021)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.position import learned
from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.expr import floor
from shapeviz.keys import COUNT, TEXTS, Kind, Whole, key
from shapeviz.layer_order import LayerOrder
from shapeviz.models._checks import divides, known_activations
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, P, d_ff, d_k, d_model, h
from shapeviz.models._patterns import LONGEST, counted, windowed
from shapeviz.models._plan import Plan

SYMBOLS = {
    "V": "vocab_size", "P": "max_position_embeddings", "N": "num_layers", "d_model": "hidden_size", "h": "num_heads",
    "d_ff": "intermediate_size", "w": "window_size",
}  # fmt: skip
ALIASES = {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"}
IGNORED = {
    "attention_layers", "attention_dropout", "embed_dropout", "resid_dropout", "classifier_dropout",
    "layer_norm_epsilon",
}  # fmt: skip
CLASSES = classes("GPTNeo", "ForTokenClassification", "ForQuestionAnswering")
MODULES = {
    "decoder.embedding": "wte", "decoder.positions": "wpe", "decoder.*layer": "h", "decoder.final_norm": "ln_f",
}  # fmt: skip
KINDS = {"global": "full", "local": "sliding"}


def _read_turns(value: object, label: str, whole: Whole) -> tuple[tuple[tuple[str, ...], int], ...]:
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 2 for item in value):
        raise InputError(f"{label}: {TURNS.needed} is needed")
    return tuple((TEXTS.take(kinds, label, whole), COUNT.take(times, label, whole)) for kinds, times in value)


TURNS = Kind('a list of kinds and how often they take turns, such as [[["global", "local"], 12]],', _read_turns)


@dataclass(frozen=True)
class Config:
    """The keys of a GPT-Neo configuration; the defaults are those of the 1.3 billion model."""

    vocab_size: int = key(50257)
    max_position_embeddings: int = key(2048)
    hidden_size: int = key(2048)
    num_layers: int = key(24)
    attention_types: tuple[tuple[tuple[str, ...], int], ...] | None = key(None, TURNS)
    num_heads: int = key(16)
    intermediate_size: int | None = key(None)
    window_size: int = key(256)
    activation_function: str = key("gelu_new")
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide, an unknown activation, turns that make up another depth."""
    divides(c, "num_heads", "hidden_size")
    known_activations(c)
    counts = _counts(c)
    for kind in counts:
        if kind not in KINDS:
            raise SizeError(f"attention_types has {kind!r}; {nearest(kind, KINDS)}")
    if counts.total() != c.num_layers:
        raise SizeError(f"attention_types makes up {counts.total()} layers, num_layers = {c.num_layers}")


def build(c: Config, task: str) -> Plan:
    """The plan of a GPT-Neo; its feed-forward network is 4·d_model wide unless intermediate_size says otherwise."""
    attend = MultiHead(Heads(h, h, d_k, d_k, bias=False, output_bias=True))
    feed = FeedForward((d_ff,), activation=c.activation_function)
    layer = windowed(PreNorm, attend, feed, layer_norm)
    numbers = {KINDS[kind]: count for kind, count in _counts(c).items()}
    layers, values, counts = counted(numbers, _order(c), layer, {"sliding": floor(N / 2)})
    function = decoder_only(
        layers,
        layer_norm,
        task,
        c.tie_word_embeddings,
        embed=partial(learned, length=P, name="positions"),
    )
    rules = {"d_k": d_model / h} | ({} if c.intermediate_size else {"d_ff": 4 * d_model})
    return Plan(function, rules | counts, values=values, longest=c.max_position_embeddings, limited=True)


def _turns(c: Config) -> tuple[tuple[tuple[str, ...], int], ...]:
    """`global` and `local` in turn, 24 in all, where attention_types is left out."""
    return ((("global", "local"), 12),) if c.attention_types is None else c.attention_types


def _counts(c: Config) -> Counter[str]:
    """How many layers are of each kind."""
    counts: Counter[str] = Counter()
    for kinds, times in _turns(c):
        counts.update({kind: kinds.count(kind) * times for kind in kinds})
    return counts


def _order(c: Config) -> LayerOrder | None:
    """In which order; None of a list of turns that is too deep to be written out."""
    match _turns(c):
        case [[kinds, _]]:
            return LayerOrder.of([KINDS[kind] for kind in kinds] * 2, N)  # twice, so that none of it is taken for a cut
        case turns if c.num_layers <= LONGEST:
            return LayerOrder.of([KINDS[kind] for kinds, times in turns for kind in kinds * times], N)
    return None
