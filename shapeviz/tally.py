"""One analysis applied to one model: what every node costs, how a cost is derived, which kinds of module bear it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from shapeviz.analysis import Analysis
from shapeviz.errors import SizeError
from shapeviz.expr import Expr, notation, total
from shapeviz.fold import Part, children
from shapeviz.ir import ONE, Block, Model, Node
from shapeviz.quantity import Number, Quantity
from shapeviz.quotient import Quotient

KINDS = ("embedding", "attention", "feed_forward", "norm", "head")
"""The kinds of module that come first; any other role of a block is one as well, in the order of the tree."""
STRUCTURE = ("", "stack", "layer", "model", "linear", "softmax", "cross", "failed", "unreached")
"""Roles that say where a block stands or what it computes, and leave open what it is part of."""
OTHER = "other"


class Line(NamedTuple):
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
    """One analysis applied to one model: the cost of every node, made once, the leaves first."""

    model: Model
    analysis: Analysis
    totals: dict[Node, Expr] = field(default_factory=dict)
    splits: dict[Node, tuple[Quantity, Expr]] = field(default_factory=dict)
    parts: dict[Node, tuple[Part, ...]] = field(default_factory=dict)

    @cached_property
    def names(self) -> frozenset[str]:
        """The sizes that have a number."""
        return frozenset(self.model.sizes.names)

    @property
    def adds(self) -> bool:
        """Whether the cost of a model is a sum over its blocks."""
        return self.analysis.fold.adds

    def own(self, node: Node) -> tuple[Part, ...]:
        """The node's own parts, without its children."""
        if node not in self.parts:
            self.parts[node] = tuple(self.analysis.own(node))
        return self.parts[node]

    def total(self, node: Node) -> Expr:
        """The cost of one run of a node, with what cannot be counted."""
        if node not in self.totals:
            self.totals[node] = self.analysis.fold.cost(node, self.own, self.total, self.times)
        return self.totals[node]

    def times(self, node: Node) -> Expr:
        """How often a node counts within its parent."""
        return self.analysis.weigh(node) if isinstance(node, Block) else ONE

    def instances(self, above: Expr, node: Node) -> Expr:
        """How often a node counts in the whole model, `above` saying it of its parent; once unless costs add up."""
        return above * self.times(node) if self.adds else ONE

    def counted(self, node: Node) -> Quantity:
        """The cost of one run of a node, as far as all sizes have a number."""
        return self._split(node)[0]

    def whole(self) -> Quantity:
        """The cost of the model; sizes for which its trace does not hold are traced anew when they are asked for."""

        # a module may branch on a length, and have other operations beyond it: no formula of this trace says their cost
        def elsewhere(sizes: Mapping[str, Any]) -> Number:
            assert self.model.again is not None
            there = Tally(self.model.again(sizes), self.analysis)
            if (rest := there.rest(there.model.root)).terms and not self.rest(self.model.root).terms:
                reasons = "; ".join(
                    there.model.missing[name] for name in sorted(rest.names & there.model.missing.keys())
                )
                raise SizeError(f"at these sizes not all can be counted: {rest} ({reasons})")
            return there.whole().value

        counted = self.counted(self.model.root)
        return replace(counted, elsewhere=elsewhere if self.model.again else None)

    def rest(self, node: Node) -> Expr:
        """What cannot be counted because a size is not given."""
        return self._split(node)[1]

    def _split(self, node: Node) -> tuple[Quantity, Expr]:
        if node not in self.splits:
            counted, rest = self.total(node).split(self.names)
            self.splits[node] = Quantity(counted, self.model.sizes), rest
        return self.splits[node]

    def kinds(self) -> dict[str, Quantity]:
        """The cost of the whole model by kind of module: each part belongs to the innermost block that has a kind.

        None where costs do not add up.
        """
        by_kind: dict[str, list[Expr]] = {kind: [] for kind in KINDS}

        def walk(node: Node, kind: str, times: Expr) -> None:
            if isinstance(node, Block):
                kind = kind if node.role in STRUCTURE else node.role
                times = times * self.times(node)
            by_kind.setdefault(kind, []).extend(times * part.cost for part in self.own(node))
            for child in children(node):
                if self.total(child).terms:
                    walk(child, kind, times)

        if self.adds:
            walk(self.model.root, OTHER, ONE)
        in_order = sorted(by_kind.items(), key=lambda item: item[0] == OTHER)
        sums = {kind: total(costs).split(self.names)[0] for kind, costs in in_order}
        return {kind: Quantity(cost, self.model.sizes) for kind, cost in sums.items() if cost.terms}

    def lines(self, block: Node) -> tuple[Line, ...]:
        """The derivation of a sum: the block's own parts, then its children, equal ones on one line."""
        groups: dict[tuple[Expr, Expr, bool], list[str]] = {}
        for label, cost in self._terms(block) if self.adds else ():
            groups.setdefault(cost, []).append(label)
        return tuple(
            Line(tuple(labels), times, Quantity(each, self.model.sizes), composite)
            for (times, each, composite), labels in groups.items()
        )

    def _terms(self, node: Node) -> Iterator[tuple[str, tuple[Expr, Expr, bool]]]:
        for part in self.own(node):
            if (counted := part.cost.split(self.names)[0]).terms:
                yield part.label, (ONE, counted, False)
        for child in children(node):
            if (cost := self.total(child).split(self.names)[0]).terms:
                yield child.name, (self.times(child), cost, isinstance(child, Block) and not child.step)


@dataclass
class RatioTally:
    """The ratio of two analyses, of every node and of the whole model."""

    above: Tally
    below: Tally
    adds: bool = False

    def instances(self, above: Expr, node: Node) -> Expr:
        """Once: a ratio does not add up."""
        return ONE

    def counted(self, node: Node) -> Quantity:
        """The ratio of one run of a node, of what is counted."""
        return self._over(self.above.counted(node), self.below.counted(node))

    def whole(self) -> Quantity:
        """The ratio of the whole model; where its trace does not hold, both sides are traced anew."""
        above, below = self.above.whole(), self.below.whole()

        def elsewhere(sizes: Mapping[str, Any]) -> Number:
            return Fraction(int(above.at(sizes)), int(below.at(sizes)))

        return replace(self._over(above, below), elsewhere=elsewhere if above.elsewhere else None)

    def rest(self, node: Node) -> Expr:
        """What cannot be counted, above or else below the line."""
        return self.above.rest(node) if self.above.rest(node).terms else self.below.rest(node)

    def kinds(self) -> dict[str, Quantity]:
        """The ratio of each kind of module that has something above the line."""
        below = self.below.kinds()
        return {kind: self._over(cost, below[kind]) for kind, cost in self.above.kinds().items() if kind in below}

    def lines(self, node: Node) -> tuple[Line, ...]:
        """None: a ratio is no sum of parts."""
        return ()

    def _over(self, above: Quantity, below: Quantity) -> Quantity:
        nothing = not below.terms
        quotient = Quotient.of(Expr() if nothing else above.expression, below.expression)
        return Quantity(quotient, above.sizes)
