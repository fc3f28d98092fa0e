"""An expression taken apart: the terms over some dimensions, and all factors replaced by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shapeviz.expr.polynomial import Expr, Factor, Monomial, Number


def split(x: Expr, names: Iterable[str]) -> tuple[Expr, Expr]:
    """The terms over these names alone, and the rest.

    >>> [str(part) for part in (Expr.of("V") * "d" + "d").split(["d"])]
    ['d', 'V·d']
    """
    known = frozenset(names)
    if x.names <= known:
        return x, Expr()
    parts: tuple[dict[Monomial, Number], dict[Monomial, Number]] = {}, {}
    for monomial, coefficient in x.terms.items():
        parts[not Expr({monomial: 1}).names <= known][monomial] = coefficient
    return Expr(parts[0]), Expr(parts[1])


def mapped(x: Expr, replaced: Callable[[Factor, int], Expr]) -> Expr:
    """The same sum of products, with an expression in place of every power of a factor."""
    total = Expr()
    for monomial, coefficient in x.terms.items():
        term = Expr.of(coefficient)
        for factor, power in monomial:
            term *= replaced(factor, power)
        total += term
    return total
