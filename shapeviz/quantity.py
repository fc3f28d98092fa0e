"""Quantity: a formula together with the sizes of its model, so that it knows its own value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from shapeviz.errors import ConditionError, InputError
from shapeviz.expr import Expr, ExprLike, notation
from shapeviz.expr.polynomial import Number as Number
from shapeviz.keys import numeral
from shapeviz.quotient import Quotient
from shapeviz.sizes import Sizes, checked_size

LONGEST = 100  # digits of a number of things


@dataclass(frozen=True)
class Quantity:
    """A formula and the sizes of its model: `.value` at these, `.at(S=128)` with some changed.

    Arithmetic with numbers and expressions gives a Quantity at the same sizes; `==` is equality of the formulas.
    `elsewhere` gives the value at sizes for which the formula does not hold, if there is a way to find it.

    >>> area = Quantity(Expr.of("S") ** 2, Sizes({"S": 4}))
    >>> print(area, area.value, area.at(S=3), (2 * area + 1).value)
    S² 16 9 33
    """

    formula: Expr | Quotient
    sizes: Sizes = field(compare=False, repr=False)
    elsewhere: Callable[[Mapping[str, object]], Number] | None = field(default=None, compare=False, repr=False)

    def at(self, sizes: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        """The value, with some sizes set anew and what derives from them derived again. Raises SizeError.

        Where a traced module takes another branch at these sizes it is traced anew.
        """
        changed = {name: checked_size(name, size) for name, size in {**(sizes or {}), **named}.items()}
        try:
            return self.formula.at(self.sizes.resolve(**changed))
        except ConditionError:
            if self.elsewhere is None or not all(isinstance(size, int) for size in changed.values()):
                raise
            return self.elsewhere({**self.sizes.values, **changed})

    @property
    def value(self) -> Number:
        """The value at the model's own sizes: an exact integer, of a ratio an exact Fraction where it is none."""
        value = self.formula.at(self.sizes.numbers)
        return value if isinstance(value, Fraction) else int(value)

    @property
    def expression(self) -> Expr:
        """The formula as an expression. Raises InputError for a ratio, which is none."""
        if isinstance(self.formula, Quotient):
            raise InputError(f"{self} is a ratio: take what stands above and below the line")
        return self.formula

    @property
    def terms(self) -> Mapping[Any, Number]:
        """The terms of the formula: none if it is zero for all sizes."""
        return self.formula.terms

    @property
    def names(self) -> frozenset[str]:
        """The sizes that occur in the formula."""
        return self.formula.names

    def subs(self, sizes: Mapping[str, ExprLike]) -> Expr | Quotient:
        """The formula with some sizes replaced by expressions or numbers."""
        return self.formula.subs(sizes)

    # arithmetic

    def _with(self, formula: Expr) -> Quantity:
        return Quantity(formula, self.sizes)

    def __add__(self, other: ExprLike | Quantity) -> Quantity:
        return self._with(self.expression + _expression(other))

    def __sub__(self, other: ExprLike | Quantity) -> Quantity:
        return self._with(self.expression - _expression(other))

    def __rsub__(self, other: ExprLike | Quantity) -> Quantity:
        return self._with(_expression(other) - self.expression)

    def __mul__(self, other: ExprLike | Quantity) -> Quantity:
        return self._with(self.expression * _expression(other))

    def __truediv__(self, other: ExprLike | Quantity) -> Quantity:
        return self._with(self.expression / _expression(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return self.formula == (other.formula if isinstance(other, Quantity) else other)

    def __hash__(self) -> int:
        return hash(self.formula)

    # text

    def __str__(self) -> str:
        return str(self.formula)

    def written(self, way: notation.Notation, factored: bool = False) -> str:
        """The formula in a notation; with factors that all terms share taken out if asked."""
        return self.formula.written(way, factored)

    @property
    def python(self) -> str:
        """Python text that SymPy parses."""
        return self.formula.python

    @property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return self.formula.latex

    @property
    def javascript(self) -> str:
        """The formula in JavaScript."""
        return self.formula.javascript


def _expression(value: ExprLike | Quantity) -> Expr:
    return value.expression if isinstance(value, Quantity) else Expr.of(value)


def counted(number: Any, label: str) -> int | None:
    """A number of things: 8_000_000, "8,000,000", "8M" or "1.5B". Raises InputError for anything else, label first.

    >>> counted("1.5B", "max_params")
    1500000000
    """
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and abs(number) < 10**LONGEST):
        return number
    value = numeral(number) if isinstance(number, str) and len(number) <= LONGEST else None
    if value is None:
        shown = "…" if type(number) is int else repr(number)[:LONGEST]
        raise InputError(f"{label}={shown}: a whole number is needed, or a text such as '8M' or '1.5B'")
    return value
