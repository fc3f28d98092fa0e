"""Quantity: an expression together with the sizes of its model, so that it knows its own value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeviz.errors import ConditionError
from shapeviz.expr import Expr
from shapeviz.ir import Sizes


class Quantity(Expr):
    """An expression and the sizes of its model: `.value` at these, `.at(S=128)` with some changed.

    `elsewhere` gives the value at sizes for which the expression does not hold, if there is a way to find it.
    """

    __slots__ = ("elsewhere", "sizes")

    def __init__(self, expr: Expr, sizes: Sizes, elsewhere: Callable[[Mapping[str, Any]], int] | None = None) -> None:
        self.terms = expr.terms
        self.sizes = sizes
        self.elsewhere = elsewhere

    def at(self, sizes: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """The value, with some sizes set anew and what derives from them derived again. Raises SizeError.

        Where a traced module takes another branch at these sizes it is traced anew.
        """
        given = {**(sizes or {}), **named}
        try:
            return Expr.at(self, self.sizes.resolve(**given))
        except ConditionError:
            if self.elsewhere is None or not all(isinstance(size, int) for size in given.values()):
                raise
            return self.elsewhere({**self.sizes.values, **given})

    @property
    def value(self) -> int:
        """The value at the model's own sizes: an exact integer."""
        return int(Expr.at(self, self.sizes.numbers))
