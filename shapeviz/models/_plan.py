"""Plan: what a family makes of a configuration; the letters that families share, and helpers to check their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shapeviz.blocks.activation import NAMES
from shapeviz.blocks.attention import CAUSAL, Cache, MultiHead, sliding
from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.errors import SizeError, nearest
from shapeviz.expr import Expr, floor, maximum, minimum
from shapeviz.ir import Condition
from shapeviz.lang import Variable, repeat, take_turns
from shapeviz.layer_order import LayerOrder

B, S, T, V, P, N, C, E, k, h, g, w = map(Expr.of, ("B", "S", "T", "V", "P", "N", "C", "E", "k", "h", "g", "w"))
d_model, d_k, d_v, d_ff, d_e, d_s, N_enc, N_dec = map(
    Expr.of, ("d_model", "d_k", "d_v", "d_ff", "d_e", "d_s", "N_enc", "N_dec")
)

TITLES = {
    "sliding": "Sliding layer", "full": "Full layer", "dense": "Dense layer", "moe": "MoE layer",
    "sliding_dense": "Sliding dense layer", "sliding_moe": "Sliding MoE layer",
    "full_dense": "Full dense layer", "full_moe": "Full MoE layer",
}  # fmt: skip
FULL, SLIDING, IN_TURN = (LayerOrder.of(kinds, N) for kinds in (["full"], ["sliding"], ["sliding", "full"]))
"""Every layer attends to all, every layer has a window, every other one has, the first among them."""
LAYER_TYPES = {"sliding_attention": "sliding", "full_attention": "full"}
LONGEST = 10_000  # layers of a list that has no period to be told by
ACTIVATION_KEYS = ("hidden_act", "hidden_activation", "activation_function", "activation", "dense_act_fn", "pooler_act")


@dataclass(frozen=True)
class Plan:
    """The model function, and what is known of its sizes besides the keys of SYMBOLS.

    `rules` derive sizes that were not given, `aliases` name sizes that are another one, `values` are numbers without a
    key; `legend` explains letters of this family alone, `missing` says of letters without a number how to give it.
    `longest` is the longest sequence that the configuration speaks of, a `limit` on S if `limited`. `conditions` must
    hold of all sizes.
    """

    function: Callable[[], Variable]
    rules: Mapping[str, Expr] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)
    legend: Mapping[str, str] = field(default_factory=dict)
    longest: int | None = None
    limited: bool = False
    conditions: tuple[Condition, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layers:
    """Some of a stack's layers: those that are alike, how many there are, and how one is written."""

    times: Expr
    layer: Layer
    name: str = "layer"
    title: str = "Layer"


@dataclass(frozen=True)
class Stack:
    """The layers of a stack, a kind at a time, and the order in which the kinds take turns if there are several."""

    layers: tuple[Layers, ...]
    order: LayerOrder | None = None

    @classmethod
    def of(cls, layers: Stack | Iterable[Layers]) -> Stack:
        """A stack as it is, or one of layers that need no order."""
        return layers if isinstance(layers, Stack) else cls(tuple(layers))

    def run(self, x: Variable) -> Variable:
        """Records each kind of layer once, and the order in which they stand."""
        for kind in self.layers:
            x = repeat(kind.times, kind.layer, x, name=kind.name, title=kind.title)
        if self.order is not None:
            take_turns(self.order)
        return x


Pattern = tuple[Stack, dict[str, int], dict[str, Expr]]


def heads(c: Any) -> tuple[Expr, Expr, dict[str, Expr], dict[str, str]]:
    """g and d_k of a configuration in the usual keys, with the rules and aliases that they stand for.

    g is h where every head has keys of its own, d_k is d_model / h where no head_dim is given.
    """
    shared = c.num_key_value_heads not in (None, c.num_attention_heads)
    rules = {} if getattr(c, "head_dim", None) else {"d_k": d_model / h}
    return g if shared else h, d_k, rules, {} if shared else {"g": "h"}


def grouped() -> Condition:
    """g divides h."""
    return Condition("h is a multiple of g", floor(h / g) * g, "=", h, rule=True)


def chosen() -> Condition:
    """A token meets no more experts than there are."""
    return Condition("k ≤ E", k, "≤", E, rule=True)


def divides(c: Any, part: str, whole: str) -> None:
    """Raises SizeError unless the key `part` divides the key `whole`, with the nearest numbers that do."""
    small, large = getattr(c, part), getattr(c, whole)
    if small and large and large % small:
        less = next(n for n in range(min(small, large), 0, -1) if large % n == 0) if small < 10**6 else 1
        down = large - large % small
        near = " or ".join(str(n) for n in (down, down + small) if n)
        raise SizeError(
            f"{whole} = {large} is no multiple of {part} = {small}; nearest: {part} {less}, or {whole} {near}"
        )


def at_most(c: Any, part: str, whole: str) -> None:
    """Raises SizeError unless the key `part` is at most the key `whole`."""
    if getattr(c, part) > getattr(c, whole):
        raise SizeError(f"{part} = {getattr(c, part)} is more than {whole} = {getattr(c, whole)}")


def known_activations(c: Any) -> None:
    """Raises SizeError unless every key that names an elementwise function names one that is known."""
    for key in ACTIVATION_KEYS:
        known(key, getattr(c, key, None))


def known(key: str, activation: str | None) -> None:
    """Raises SizeError, with the nearest name, for an elementwise function that a key names and nobody knows."""
    if activation is not None and activation not in NAMES:
        raise SizeError(f"{key}: no elementwise function {activation!r} is known; {nearest(activation, NAMES)}")


def usual_check(c: Any) -> None:
    """Raises SizeError for heads that do not divide the width, key/value heads the heads, an unknown activation."""
    if not getattr(c, "head_dim", None):
        divides(c, "num_attention_heads", "hidden_size")
    if getattr(c, "num_key_value_heads", None):
        divides(c, "num_key_value_heads", "num_attention_heads")
    known_activations(c)


def rotary_check(c: Any) -> None:
    """As `usual_check`, and for heads of an odd width: rotary positions turn pairs of features."""
    usual_check(c)
    if width := getattr(c, "head_dim", None):
        even("head_dim", width)
    else:
        even("hidden_size / num_attention_heads", c.hidden_size // c.num_attention_heads)


def even(text: str, width: int) -> None:
    """Raises SizeError for an odd number of features that rotary positions turn."""
    if width % 2:
        raise SizeError(f"{text} = {width}: rotary positions turn pairs of features, an even number is needed")


def pattern(order: LayerOrder, depth: int, layer: Callable[[str], Layer], rules: Mapping[str, Expr]) -> Pattern:
    """The layers of a stack so deep that take turns in this order, as `counted` takes them together."""
    return counted(order.counts({"N": depth}), order, layer, rules)


def counted(
    counts: Mapping[str, int], order: LayerOrder | None, layer: Callable[[str], Layer], rules: Mapping[str, Expr]
) -> Pattern:
    """Layers of several kinds, those alike taken together, with the values and the rules of their counts N_<kind>.

    The most frequent kind has the rest of N. `rules` say how the count of another follows from N; one is used where it
    agrees with `counts`. A single kind is N layers called `layer`.
    """
    counts = {kind: count for kind, count in counts.items() if count}
    if len(counts) == 1:
        return Stack((Layers(N, layer(*counts)),)), {}, {}
    rest = max(counts, key=lambda kind: counts[kind])
    depth = sum(counts.values())
    known = {kind: rule for kind, rule in rules.items() if kind != rest and kind in counts}
    derived = {f"N_{kind}": rule for kind, rule in known.items() if rule.at(N=depth) == counts[kind]}
    values = {f"N_{kind}": n for kind, n in counts.items() if kind != rest and f"N_{kind}" not in derived}
    derived[f"N_{rest}"] = N - sum((Expr.of(f"N_{kind}") for kind in counts if kind != rest), Expr())
    kinds = (Layers(Expr.of(f"N_{kind}"), layer(kind), f"{kind}_layer", TITLES[kind]) for kind in counts)
    return Stack(tuple(kinds), order and order.named("{}_layer")), values, derived


def layer_order(c: Any, usual: LayerOrder) -> LayerOrder:
    """The order of `sliding` and `full` layers: by the key layer_types, or the usual one where that is left out.

    Raises SizeError for a list of another length, or of other kinds.
    """
    if c.layer_types is None:
        return usual
    depth = c.num_hidden_layers
    if len(c.layer_types) != depth:
        raise SizeError(f"layer_types has {len(c.layer_types)} entries, num_hidden_layers = {depth}")
    for kind in c.layer_types:
        if kind not in LAYER_TYPES:
            raise SizeError(f"layer_types has {kind!r}; {nearest(kind, LAYER_TYPES)}")
    return LayerOrder.of([LAYER_TYPES[kind] for kind in c.layer_types], N)


def late_windows(c: Any, layer: Callable[[str], Layer]) -> Pattern:
    """The `pattern` of a Qwen: if use_sliding_window, layers have a window but for the first max_window_layers."""
    first = Expr.of(c.max_window_layers)
    rules = {"full": minimum(N, first), "sliding": maximum(N - first, 0)}
    order = layer_order(c, LayerOrder(tuple(rules.items()), N))
    windows = order if c.use_sliding_window and c.sliding_window else FULL
    return pattern(windows, c.num_hidden_layers, layer, rules)


def kept(window: Expr | None = None) -> Cache:
    """The tokens of which a layer keeps keys and values: all, or those in its window."""
    return Cache(B * (S if window is None else minimum(S, window)))


def causal(attend: MultiHead, window: Expr | None = None) -> MultiHead:
    """Self-attention in which a token sees itself and earlier ones, within the window if there is one; what later
    tokens will see of it is kept."""
    mask = CAUSAL if window is None else sliding(window)
    return replace(attend, scores=replace(attend.scores, mask=mask), cache=kept(window))


def windowed(
    layer: Callable[[Attend, Feed, Norm], Layer], attend: MultiHead, feed: Feed, norm: Norm
) -> Callable[[str], Layer]:
    """How the `layer` of a kind is written: a `sliding` one sees and keeps what is in its window alone."""
    return lambda kind: layer(causal(attend, w if kind == "sliding" else None), feed, norm)
