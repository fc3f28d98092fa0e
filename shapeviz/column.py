"""Column and Cell: what one analysis says of the whole model, and of one block of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from shapeviz import analyses
from shapeviz.errors import UnknownColumnError, nearest
from shapeviz.expr import Expr
from shapeviz.quantity import Number, Quantity
from shapeviz.tally import Line

Value = TypeVar("Value")


class ByColumn(dict[str, Value]):
    """Something for every column that was measured; another name raises UnknownColumnError with the nearest one."""

    def __missing__(self, name: object) -> Value:
        if name in analyses.names():
            raise UnknownColumnError(f"{name} was not measured: shapeviz.measure(model, [{name!r}]) does")
        raise UnknownColumnError(f"no column {name!r}; {nearest(str(name), [*self, *analyses.names()])}")


@dataclass(frozen=True)
class Column:
    """One analysis of the whole model: its title, unit ("B" for bytes) and convention, and what it comes to.

    `total` is without what cannot be counted, because a size of it has no number: that is in `not_counted`.
    """

    name: str
    title: str
    unit: str
    convention: str
    total: Quantity
    not_counted: Expr
    adds: bool  # whether it is a sum over the blocks, of which each has a share
    derive: Callable[[], tuple[Line, ...]] = field(repr=False, compare=False)
    by_kind: Callable[[], Mapping[str, Quantity]] = field(repr=False, compare=False)

    @cached_property
    def derivation(self) -> tuple[Line, ...]:
        """The total as a sum of the parts of the model, equal ones on one line."""
        return self.derive()

    @cached_property
    def kinds(self) -> Mapping[str, Quantity]:
        """The total by kind of module, embedding, attention, feed_forward, …; none for a column that is no sum."""
        return self.by_kind()


@dataclass(frozen=True)
class Cell:
    """What one instance of a block costs, and how many `instances` of it the whole model counts.

    `each` is without what cannot be counted, because a size of it has no number: that is in `not_counted`.
    """

    each: Quantity
    instances: Quantity
    not_counted: Expr
    derive: Callable[[], tuple[Line, ...]] = field(repr=False, compare=False)

    @property
    def value(self) -> Number:
        """The cost of one instance at the model's own sizes."""
        return self.each.value

    @property
    def in_model(self) -> Number:
        """The cost of all instances in the whole model, at its own sizes."""
        return self.each.value * self.instances.value

    @property
    def counts(self) -> bool:
        """True unless it is zero for all sizes and nothing is left out."""
        return bool(self.each.terms or self.not_counted.terms)

    @cached_property
    def derivation(self) -> tuple[Line, ...]:
        """The cost of one instance as a sum of its parts, equal ones on one line."""
        return self.derive()
