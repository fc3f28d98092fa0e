"""Plan: what a family makes of a configuration, and the layers of which it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shapeviz.blocks.sublayer import Layer
from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.lang import Variable, repeat, take_turns
from shapeviz.layer_order import LayerOrder


@dataclass(frozen=True)
class Plan:
    """The model function, and what is known of its sizes besides the keys of SYMBOLS.

    `rules` derive sizes that were not given, `aliases` name sizes that are another one, `values` are numbers without a
    key; `legend` explains letters of this family alone, `missing` says of letters without a number how to give it.
    `longest` is the longest sequence that the configuration speaks of, a `limit` on S if `limited`. `conditions` must
    hold of all sizes; `conventions` say of a column what is counted otherwise than in most families.
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
    conventions: Mapping[str, str] = field(default_factory=dict)


class Layers(NamedTuple):
    """Some of a stack's layers: those that are alike, how many there are, and how one is written."""

    times: Expr
    layer: Layer
    name: str = "layer"
    title: str = "Layer"


class Stack(NamedTuple):
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
