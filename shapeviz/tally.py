"""One analysis applied to one model: what every node costs, how a cost is derived, which kinds of module bear it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from shapeviz.expr import Expr, maximum, notation, total
from shapeviz.ir import ONE, Block, Model, Node
from shapeviz.quantity import Quantity

ZERO = Expr()
KINDS = ("embedding", "attention", "feed_forward", "norm", "head")
OTHER = "other"


@dataclass(frozen=True)
class Line:
    """One line of a derivation: equal parts taken together, their formula and what it comes to.

    `composite` marks a part with a derivation of its own, of which a sum shows the value and not the formula.
    """

    labels: tuple[str, ...]
    times: Expr
    each: Quantity
    composite: bool = False

    @property
    def total(self) -> Quantity:
        return self.each * self.times * len(self.labels)

    @property
    def formula(self) -> str:
        return self.total.written(notation.TEXT, factored=True)

    @property
    def substitution(self) -> str:
        """`3 × 6 × (1024 × 128 + 128)`, or `6 × 4,465,920` where the part is derived elsewhere."""
        numbers = self.each.sizes.numbers
        if not self.composite or (self.times == ONE and len(self.labels) == 1):
            return self.total.written(notation.substituted(numbers), factored=True)
        factors = [len(self.labels)] * (len(self.labels) > 1) + [self.times.at(numbers)] * (self.times != ONE)
        return " × ".join(f"{number:,}" for number in [*factors, self.each.value])


@dataclass
class Tally:
    """One analysis applied to one model: the cost of every node, added up once from the leaves."""

    model: Model
    analysis: ModuleType
    totals: dict[Node, Expr] = field(default_factory=dict)
    splits: dict[Node, tuple[Quantity, Expr]] = field(default_factory=dict)

    @cached_property
    def names(self) -> frozenset[str]:
        """The sizes that have a number."""
        return frozenset(self.model.sizes.names)

    def total(self, node: Node) -> Expr:
        if node not in self.totals:
            children = node.body if isinstance(node, Block) else ()
            parts = [own for _, own in self.analysis.own(node)]
            if not parts and not children:
                self.totals[node] = ZERO
            elif getattr(self.analysis, "greatest", False):
                self.totals[node] = _greatest([*parts, *map(self.total, children)])
            else:
                self.totals[node] = total([*parts, *(self.times(child) * self.total(child) for child in children)])
        return self.totals[node]

    def times(self, node: Node) -> Expr:
        return getattr(node, self.analysis.times, ONE) if isinstance(node, Block) else ONE

    def counted(self, node: Node) -> Quantity:
        return self._split(node)[0]

    def whole(self) -> Quantity:
        """The cost of the model; sizes for which its trace does not hold are traced anew when they are asked for."""

        def elsewhere(sizes: Mapping[str, Any]) -> int:
            assert self.model.again is not None
            return Tally(self.model.again(sizes), self.analysis).whole().value

        return Quantity(
            self.counted(self.model.root).formula, self.model.sizes, elsewhere if self.model.again else None
        )

    def rest(self, node: Node) -> Expr:
        """What cannot be counted because a size is not given."""
        return self._split(node)[1]

    def _split(self, node: Node) -> tuple[Quantity, Expr]:
        if node not in self.splits:
            known, rest = self.total(node).split(self.names)
            self.splits[node] = Quantity(known, self.model.sizes), rest
        return self.splits[node]

    def kinds(self) -> dict[str, Quantity]:
        """The cost of the whole model by kind of module: each part belongs to the innermost block that has a kind."""
        found: dict[str, list[Expr]] = {kind: [] for kind in (*KINDS, OTHER)}

        def walk(node: Node, kind: str, times: Expr) -> None:
            if isinstance(node, Block):
                kind = node.role if node.role in KINDS else kind
                times = times * self.times(node)
            found[kind] += [times * cost for _, cost in self.analysis.own(node)]
            for child in node.body if isinstance(node, Block) else ():
                if self.total(child).terms:
                    walk(child, kind, times)

        walk(self.model.root, OTHER, ONE)
        sums = {kind: total(costs).split(self.names)[0] for kind, costs in found.items()}
        return {kind: Quantity(cost, self.model.sizes) for kind, cost in sums.items() if cost.terms}

    def lines(self, block: Node) -> tuple[Line, ...]:
        """The derivation of a block: its own parts, then its children, equal ones on one line."""
        groups: dict[tuple[Expr, Expr, bool], list[str]] = {}
        for label, cost in self._parts(block):
            groups.setdefault(cost, []).append(label)
        return tuple(
            Line(tuple(labels), times, Quantity(each, self.model.sizes), composite)
            for (times, each, composite), labels in groups.items()
        )

    def _parts(self, node: Node) -> Iterator[tuple[str, tuple[Expr, Expr, bool]]]:
        for label, cost in self.analysis.own(node):
            if (known := cost.split(self.names)[0]).terms:
                yield label, (ONE, known, False)
        for child in node.body if isinstance(node, Block) else ():
            if (cost := self.counted(child).formula).terms:
                yield child.name, (self.times(child), cost, isinstance(child, Block) and not child.step)


def _greatest(parts: Iterable[Expr]) -> Expr:
    """The greatest of several expressions, for whatever sizes; zero if there is none."""
    found = dict.fromkeys(part for part in parts if part.terms)
    return maximum(*found) if found else Expr()
