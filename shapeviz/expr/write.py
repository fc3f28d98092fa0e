"""Expressions written in a notation, as the sum of their terms or with what the terms share taken out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from shapeviz.expr.notation import JAVASCRIPT, LATEX, SYMPY, TEXT, Notation
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Expr, Factor, Terms, denominator, product, times
from shapeviz.expr.products import Product, Sum, expanded


def written(x: Expr, way: Notation, factored: bool = False) -> str:
    """The text in a notation; with what terms share taken out if asked, for reading.

    >>> d, k, h = map(Expr.of, ("d_model", "d_k", "h"))
    >>> print((3 * h * (d * k + k)).written(TEXT, factored=True))
    3·h·(d_model·d_k + d_k)
    >>> N, V, g, f = map(Expr.of, ("N", "V", "g", "d_ff"))
    >>> print(written(N * (2 * d * h * k + 2 * d * g * k + 3 * d * f + 2 * d) + V * d + d, TEXT, factored=True))
    N·d_model·(2·d_k·(g + h) + 3·d_ff + 2) + d_model·(V + 1)
    """
    taken_apart = expanded
    if factored:
        from shapeviz.expr.factor import factored as taken_apart  # which no JSON and no comparison needs
    if way.one_fraction:
        return _once_divided(_cleared(x).terms, way, taken_apart)
    return _sum(taken_apart(x.terms), way)


def text(x: Expr) -> str:
    """`3·S/(2·h)`, as on paper."""
    return _plain(x.terms, TEXT)


def latex(x: Expr) -> str:
    r"""`\frac{3 \cdot S}{2 \cdot h}`."""
    return written(x, LATEX)


def python(x: Expr) -> str:
    """Python text that SymPy parses; `sympify(text, locals={name: Symbol(name)})`."""
    return written(x, SYMPY)


def javascript(x: Expr) -> str:
    """An expression of JavaScript: exact while all numbers in it stay below 2⁵³."""
    return written(x, JAVASCRIPT)


def _plain(terms: Terms, way: Notation) -> str:
    """A sum of terms."""
    return _once_divided(terms, way, expanded) if way.one_fraction and len(terms) > 1 else _sum(expanded(terms), way)


def _once_divided(terms: Terms, way: Notation, taken_apart: Callable[[Terms], Sum]) -> str:
    """The sum of the terms over their common denominator, so that nothing is rounded before the end."""
    below, divisor = denominator(terms.items())
    above = taken_apart(Expr({times(m, below): c * divisor for m, c in terms.items()}).terms)
    number, monomial = Fraction(1, divisor), tuple((factor, -power) for factor, power in below)
    if len(above) == 1:
        (only,) = above
        return _sum((Product(only.number * number, times(only.monomial, monomial), only.brackets),), way)
    return _sum((Product(number, monomial, (above,)),) if below or divisor != 1 else above, way)


def _sum(products: Sum, way: Notation) -> str:
    text = ""
    for one in products:
        term = _term(one, way)
        if text:
            text += f" - {term}" if one.number < 0 else f" + {term}"
        else:
            text = way.negative(term) if one.number < 0 else term
    return text or "0"


def _term(x: Product, way: Notation) -> str:
    """The product without its sign."""
    above = [_factor(f, n, way) for f, n in x.monomial if n > 0]
    below = [_factor(f, -n, way) for f, n in x.monomial if n < 0]
    above += [f"({_sum(bracket, way)})" for bracket in x.brackets]
    if abs(x.number.numerator) != 1 or not above:
        above.insert(0, str(abs(x.number.numerator)))
    if x.number.denominator != 1:
        below.insert(0, str(x.number.denominator))
    if not below:
        return way.times.join(above)
    if way.bar and len(above) == len(x.brackets) == 1:
        above = [_sum(x.brackets[0], way)]  # the bar keeps together what brackets would
    return way.quotient(way.times.join(above), way.times.join(below), len(below) > 1)


def _factor(factor: Factor, power: int, way: Notation) -> str:
    if isinstance(factor, str):
        base = way.symbol(factor)
    else:
        if way.for_reading and factor.function == "floor":
            from shapeviz.expr.rounding import without_constant  # which no JSON needs

            factor = without_constant(factor)
        left, right = way.functions[factor.function]
        base = left + ", ".join(_plain(arg.terms, way) for arg in factor.args) + right
    return base if power == 1 else way.power(base, power)


def _cleared(x: Expr) -> Expr:
    """The same with the fractions taken out of `min` and `max`: min(S/3, w) = min(S, 3·w)/3."""

    def outside(factor: Factor, power: int) -> Expr:
        if isinstance(factor, str):
            return Expr({((factor, power),): 1})
        args = [_cleared(arg) for arg in factor.args]
        if factor.function not in ("min", "max"):
            return Expr.atom(factor.function, *args) ** power
        powers, number = denominator([term for arg in args for term in arg.terms.items()])
        below = product(Expr.of(f) ** n for f, n in powers if isinstance(f, str)) * number
        return (Expr.atom(factor.function, *(arg * below for arg in args)) / below) ** power

    return mapped(x, outside) if x.atoms else x
