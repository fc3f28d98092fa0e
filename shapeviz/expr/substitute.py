"""Expressions with dimensions replaced by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shapeviz.expr.min_max import maximum, minimum
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Expr, ExprLike, Factor
from shapeviz.expr.rounding import ceil, floor

FUNCTIONS: dict[str, Callable[..., Expr]] = {"min": minimum, "max": maximum, "floor": floor, "ceil": ceil}


def subs(x: Expr, sizes: Mapping[str, ExprLike]) -> Expr:
    """The expression with dimensions replaced by expressions or numbers, the others left.

    >>> (Expr.of("T") * "d").subs({"T": Expr.of("S")})
    Expr('S·d')
    """

    def replaced(factor: Factor, power: int) -> Expr:
        if isinstance(factor, str):
            return Expr.of(sizes.get(factor, factor)) ** power
        return FUNCTIONS[factor.function](*(subs(arg, sizes) for arg in factor.args)) ** power

    return mapped(x, replaced)
