"""`⌊x⌋` and `⌈x⌉`, with what is an integer for all sizes taken out."""

from __future__ import annotations

from shapeviz.expr.integrality import is_integer, step
from shapeviz.expr.polynomial import Atom, Expr, ExprLike


def floor(x: ExprLike) -> Expr:
    """⌊x⌋, with what is integral for all sizes taken out.

    >>> floor(3 * Expr.of("S") / 2 + Expr.of(3) / 2)
    Expr('S + ⌈S/2⌉ + 1')
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


def without_constant(floor: Atom) -> Atom:
    """⌊x⌋ as ⌈x - 1 + 1/D⌉, where x·D is an integer and no constant is left: what strided layers give.

    The smallest integer that is not below n/D is the greatest that is not above (n + D - 1)/D, for integers n, D > 0
    (Graham, Knuth and Patashnik, Concrete Mathematics, exercise 3.12).

    >>> H = Expr.of("H")
    >>> print(floor((H + 3) / 4), floor((H - 1) / 2) + 1, floor((H + 1) / 4))
    ⌈H/4⌉ ⌈H/2⌉ ⌊H/4 + 1/4⌋
    """
    (x,) = floor.args
    unit = step(x)
    rest = x - 1 + unit
    return Atom("ceil", (rest,)) if unit.terms and unit != 1 and len(rest.terms) < len(x.terms) else floor


def _whole_and_rest(x: Expr) -> tuple[Expr, Expr]:
    """Whatever is an integer for all sizes: whole multiples of integral terms; what remains is below 1 of each."""
    if is_integer(x):
        return x, Expr()
    whole = Expr({m: int(c) for m, c in x.terms.items() if is_integer(Expr({m: 1}))})
    return whole, x - whole
