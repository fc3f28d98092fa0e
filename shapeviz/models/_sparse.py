"""Layers of the Qwens with experts: every decoder_sparse_step-th has them but for those listed in mlp_only_layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import compress
from typing import Any

from shapeviz.blocks.sublayer import Layer
from shapeviz.expr import Expr, ceil, floor
from shapeviz.layer_order import LayerOrder
from shapeviz.models._letters import N
from shapeviz.models._patterns import LAYER_TYPES, LONGEST, Pattern, counted

LEGEND = {
    "N_sliding_dense": "dense layers with a sliding window",
    "N_sliding_moe": "layers with experts and a sliding window",
    "N_full_dense": "dense layers that attend to all",
    "N_full_moe": "layers with experts that attend to all",
}


def experts(c: Any) -> Expr:
    """How many of N layers have experts."""
    return floor(N / c.decoder_sparse_step) - len(_listed(c)) if c.num_experts else Expr()


def kinds(c: Any) -> dict[str, Expr]:
    """How many layers are of each kind, `sliding_moe` to `full_dense`: by layer_types, or as a rule in N.

    Without layer_types every other one of the first max_window_layers has a window, if use_sliding_window says so.
    """
    if c.layer_types is not None:
        every = enumerate(c.layer_types)
        counts = Counter(f"{LAYER_TYPES[kind]}_{_feed(c, i)}" for i, kind in every)
        return {kind: Expr.of(number) for kind, number in counts.items()}
    most = c.max_window_layers if c.use_sliding_window else 0
    reach = N if most >= c.num_hidden_layers else Expr.of(most)
    sliding, moe, both = ceil(reach / 2), experts(c), Expr()
    if c.num_experts and c.decoder_sparse_step % 2:  # of an even step all layers with experts attend to all
        both = ceil(floor(reach / c.decoder_sparse_step) / 2) - sum(i % 2 == 0 and i < most for i in _listed(c))
    return {
        "sliding_dense": sliding - both,
        "sliding_moe": both,
        "full_dense": N - sliding - moe + both,
        "full_moe": moe - both,
    }


def kinds_pattern(c: Any, layer: Callable[[str], Layer]) -> Pattern:
    """The `pattern` of those kinds, called by what tells them apart: `sliding` and `full` if all have experts."""
    rules = kinds(c)
    counts = {kind: int(rule.at(N=c.num_hidden_layers)) for kind, rule in rules.items()}
    names = _names(kind for kind, count in counts.items() if count)
    full = {short: kind for kind, short in names.items()}
    shown = {short: counts[kind] for short, kind in full.items()}
    ruled = {short: rules[kind] for short, kind in full.items() if not rules[kind].is_constant}
    order = windowed_order(c)
    return counted(shown, order and order.renamed(names), lambda short: layer(full[short]), ruled)


def sparse_order(c: Any) -> LayerOrder | None:
    """In which order `dense` and `moe` layers stand; None where a list of exceptions is too deep to be written out."""
    return _order(c, c.decoder_sparse_step, lambda layer: _feed(c, layer), bool(c.mlp_only_layers))


def windowed_order(c: Any) -> LayerOrder | None:
    """The same of the `kinds` that differ by their window as well."""
    most = c.max_window_layers if c.use_sliding_window else 0
    exceptions = c.layer_types is not None or bool(c.mlp_only_layers) or 0 < most < c.num_hidden_layers

    def kind(layer: int) -> str:
        if c.layer_types is not None:
            return f"{LAYER_TYPES[c.layer_types[layer]]}_{_feed(c, layer)}"
        return f"{'sliding' if layer % 2 == 0 and layer < most else 'full'}_{_feed(c, layer)}"

    return _order(c, 2 * c.decoder_sparse_step, kind, exceptions)


def _order(c: Any, period: int, kind: Callable[[int], str], exceptions: bool) -> LayerOrder | None:
    """The order of a rule with this period, or of a list of all layers where there are exceptions from it."""
    # twice the period, so that the end of one is not taken for the beginning of a shorter one that is cut
    length = c.num_hidden_layers if exceptions else min(2 * period, c.num_hidden_layers)
    return LayerOrder.of([kind(layer) for layer in range(length)], N) if length <= LONGEST else None


def _feed(c: Any, layer: int) -> str:
    return "moe" if _has_experts(c, layer) else "dense"


def _names(kinds: Iterable[str]) -> dict[str, str]:
    parts = {kind: kind.split("_") for kind in kinds}
    differ = [len(set(column)) > 1 for column in zip(*parts.values(), strict=True)]
    return {kind: "_".join(compress(words, differ)) for kind, words in parts.items()}


def _has_experts(c: Any, layer: int) -> bool:
    sparse = bool(c.num_experts) and (layer + 1) % c.decoder_sparse_step == 0
    return sparse and layer not in (c.mlp_only_layers or ())


def _listed(c: Any) -> set[int]:
    """The layers that would have experts if mlp_only_layers did not name them."""
    step, depth = c.decoder_sparse_step, c.num_hidden_layers
    return {layer for layer in c.mlp_only_layers or () if layer < depth and (layer + 1) % step == 0}
