"""`⌊x⌋` and `⌈x⌉`, with what is an integer for all sizes taken out."""

from __future__ import annotations

from shapeviz.expr.integrality import is_integer
from shapeviz.expr.polynomial import Expr, ExprLike


def floor(x: ExprLike) -> Expr:
    """⌊x⌋, with what is integral for all sizes taken out.

    >>> floor(3 * Expr.of("S") / 2 + Expr.of(3) / 2)
    Expr('S + ⌊S/2 + 1/2⌋ + 1')
    """
    whole, rest = _whole_and_rest(Expr.of(x))
    if not rest.is_constant and next(iter(rest.terms.values())) < 0:
        return whole - ceil(-rest)
    constant = rest.terms.get((), 0)
    extra = constant.numerator // constant.denominator
    rest -= extra
    return whole + extra + (Expr.atom("floor", rest) if not rest.is_constant else 0)


def ceil(x: ExprLike) -> Expr:
    """⌈x⌉, with what is integral for all sizes taken out."""
    whole, rest = _whole_and_rest(Expr.of(x))
    if rest.is_constant or next(iter(rest.terms.values())) < 0:
        return whole - floor(-rest)
    constant = rest.terms.get((), 0)
    extra = -(-constant.numerator // constant.denominator)
    return whole + extra + Expr.atom("ceil", rest - extra)


def _whole_and_rest(x: Expr) -> tuple[Expr, Expr]:
    """Whatever is an integer for all sizes: whole multiples of integral terms; what remains is below 1 of each."""
    if is_integer(x):
        return x, Expr()
    whole = Expr({m: int(c) for m, c in x.terms.items() if is_integer(Expr({m: 1}))})
    return whole, x - whole
