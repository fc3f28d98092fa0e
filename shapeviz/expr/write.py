"""Expressions written in a notation, as the sum of their terms or with what the terms share taken out."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

from shapeviz.expr.notation import JAVASCRIPT, LATEX, SYMPY, TEXT, Notation
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Expr, Factor, Monomial, Number, Terms, denominator, product, term_rank, times


def written(x: Expr, way: Notation, factored: bool = False) -> str:
    """The text in a notation; with factors that all terms share taken out if asked.

    >>> d, k, h = map(Expr.of, ("d_model", "d_k", "h"))
    >>> print((3 * h * (d * k + k)).written(TEXT, factored=True))
    3·h·(d_model·d_k + d_k)
    """
    terms = _cleared(x).terms if way.one_fraction else x.terms
    return (_factored if factored else _plain)(terms, way)


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
    if way.one_fraction and len(terms) > 1:
        return _product((), 1, terms, way)
    return _sum(terms, way)


def _sum(terms: Terms, way: Notation) -> str:
    text = ""
    for monomial, coefficient in terms.items():
        term = _term(monomial, coefficient, way)
        if text:
            text += f" - {term}" if coefficient < 0 else f" + {term}"
        else:
            text = way.negative(term) if coefficient < 0 else term
    return text or "0"


def _factored(terms: Terms, way: Notation) -> str:
    """A product of what all terms share and the sum that remains."""
    return _product(*_shared(terms), way) if len(terms) > 1 else _plain(terms, way)


def _product(monomial: Monomial, number: Number, terms: Terms, way: Notation) -> str:
    if way.one_fraction:
        below, divisor = denominator(terms.items())
        terms = {times(m, below): c * divisor for m, c in terms.items()}
        monomial, number = times(monomial, _inverse(below)), Fraction(number, divisor)
    text = _sum(terms, way)
    if not monomial and number == 1:
        return text
    text = _term(monomial, number, way, f"({text})")
    return way.negative(text) if number < 0 else text


def _inverse(monomial: Monomial) -> Monomial:
    return tuple((factor, -power) for factor, power in monomial)


def _shared(terms: Terms) -> tuple[Monomial, Number, Terms]:
    """What all terms share, and what remains; a lone 1 takes a dimension back in: h·(d·k + k), not h·k·(d + 1)."""
    powers = [dict(m) for m in terms]
    shared: dict[Factor, int] = {}
    for factor in powers[0]:
        least, most = (side(p.get(factor, 0) for p in powers) for side in (min, max))
        shared[factor] = max(least, 0) or min(most, 0)
    number = Fraction(gcd(*(c.numerator for c in terms.values())), gcd(*(c.denominator for c in terms.values())))
    if all(c < 0 for c in terms.values()):
        number = -number
    above = [factor for factor, power in shared.items() if power > 0]
    if above and abs(terms.get(times((), tuple(shared.items())), 0)) == abs(number):
        shared[above[-1]] -= 1
    monomial = times((), tuple(shared.items()))
    rest = {times(m, _inverse(monomial)): c / number for m, c in terms.items()}
    return monomial, number, dict(sorted(rest.items(), key=lambda item: term_rank(item[0])))


def _term(monomial: Monomial, coefficient: Number, way: Notation, bracket: str = "") -> str:
    """The term without its sign."""
    above = [_factor(f, n, way) for f, n in monomial if n > 0] + [bracket] * bool(bracket)
    below = [_factor(f, -n, way) for f, n in monomial if n < 0]
    if abs(coefficient.numerator) != 1 or not above:
        above.insert(0, str(abs(coefficient.numerator)))
    if coefficient.denominator != 1:
        below.insert(0, str(coefficient.denominator))
    numerator = way.times.join(above)
    if not below:
        return numerator
    return way.quotient(numerator, way.times.join(below), len(below) > 1)


def _factor(factor: Factor, power: int, way: Notation) -> str:
    if isinstance(factor, str):
        base = way.symbol(factor)
    else:
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
