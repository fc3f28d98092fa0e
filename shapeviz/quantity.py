"""Quantity: an expression together with the sizes of its model, so that it knows its own value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from shapeviz.errors import ConditionError, InputError
from shapeviz.expr import Expr
from shapeviz.ir import Sizes

SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
COUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?) ?([KMBGTPE]?)", re.IGNORECASE)


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


def counted(number: Any, label: str) -> int | None:
    """A number of things: 8_000_000, "8M" or "1.5B". Raises InputError for anything else, with the label first.

    >>> counted("1.5B", "max_params")
    1500000000
    """
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        return number
    found = COUNT.fullmatch(number.strip()) if isinstance(number, str) else None
    value = Fraction(re.sub("[_,]", "", found[1])) * SUFFIXES[found[2].upper()] if found else Fraction(1, 2)
    if value.denominator != 1:
        raise InputError(f"{label}={number!r}: a whole number is needed, or a text such as '8M' or '1.5B'")
    return int(value)
