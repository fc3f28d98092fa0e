"""Stacks whose layers are of several kinds: which stands where, how many there are, how each is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shapeviz.blocks.attention import CAUSAL, Cache, MultiHead, sliding
from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.errors import SizeError, nearest
from shapeviz.expr import Expr, maximum, minimum
from shapeviz.layer_order import LayerOrder
from shapeviz.models._letters import B, N, S, w
from shapeviz.models._plan import Layers, Stack

TITLES = {
    "sliding": "Sliding layer", "full": "Full layer", "dense": "Dense layer", "moe": "MoE layer",
    "sliding_dense": "Sliding dense layer", "sliding_moe": "Sliding MoE layer",
    "full_dense": "Full dense layer", "full_moe": "Full MoE layer",
}  # fmt: skip

FULL, SLIDING, IN_TURN = (LayerOrder.of(kinds, N) for kinds in (["full"], ["sliding"], ["sliding", "full"]))

LAYER_TYPES = {"sliding_attention": "sliding", "full_attention": "full"}

LONGEST = 10_000  # layers of a list that has no period to be told by

Pattern = tuple[Stack, dict[str, int], dict[str, Expr]]


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
    ruled = {kind: rule for kind, rule in rules.items() if kind != rest and kind in counts}
    derived = {f"N_{kind}": rule for kind, rule in ruled.items() if rule.at(N=depth) == counts[kind]}
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
