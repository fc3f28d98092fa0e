"""What is known of an expression whatever its sizes are: whether it is an integer, what of it is one, its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import factorial, gcd, lcm

from shapeviz.expr.polynomial import Atom, Expr, Factor, Monomial, Number, denominator, product


def binomials(x: Expr) -> Iterator[tuple[Number, Expr]]:
    """x as a sum of c·b, where every b is a product of binomial coefficients C(factor, n).

    A polynomial is an integer for all sizes exactly if every c is (Pólya 1915): S²/2 + S/2 = C(S, 2) + S is one,
    S²/2 = C(S, 2) + S/2 is not.
    """
    while x.terms:
        monomial, coefficient = next(iter(x.terms.items()))  # of the highest degree: what follows changes lower ones
        c, b = coefficient, Expr.of(1)
        for factor, n in monomial:
            c *= factorial(n)
            b *= product(Expr({((factor, 1),): 1}) - i for i in range(n)) / factorial(n)
        yield c, b
        x -= c * b


def _integer_terms(x: Expr) -> Expr:
    """The terms whose factors are integers with positive powers, whatever their coefficients."""
    return Expr({m: c for m, c in x.terms.items() if all(n > 0 and _is_integral(f) for f, n in m)})


def _is_integral(factor: Factor) -> bool:
    if isinstance(factor, str) or factor.function in ("floor", "ceil"):
        return True
    return all(map(is_integer, factor.args))


def is_integer(x: Expr) -> bool:
    """True if it is an integer for all sizes."""
    if _integer_terms(x).terms != x.terms:
        return False
    return all(c.denominator == 1 for c in x.terms.values()) or all(c.denominator == 1 for c, _ in binomials(x))


def whole(x: Expr) -> Expr:
    """An integer for all sizes, such that what remains of x is the same for all x that differ by such integers."""
    return sum((c.numerator // c.denominator * b for c, b in binomials(_integer_terms(x))), Expr())


def content(expressions: Iterable[Expr]) -> Expr:
    """The number and powers of dimensions, all positive, that can be taken out of all terms and leave integers."""
    terms = [(dict(m), c) for x in expressions for m, c in x.terms.items()]
    if not terms:
        return Expr.of(1)
    names = {f for powers, _ in terms for f in powers if isinstance(f, str)}
    shared = (Expr.symbol(name) ** min(powers.get(name, 0) for powers, _ in terms) for name in names)
    numbers = [c for _, c in terms]
    return product(shared) * Fraction(gcd(*(c.numerator for c in numbers)), lcm(*(c.denominator for c in numbers)))


def linear(x: Expr, atom: Atom) -> tuple[Expr, Expr] | None:
    """k and r of x = k·atom + r, neither of which has the atom as a factor; None if there are none."""
    k: dict[Monomial, Number] = {}
    r: dict[Monomial, Number] = {}
    for monomial, c in x.terms.items():
        power = dict(monomial).get(atom, 0)
        if power not in (0, 1):
            return None
        (k if power else r)[tuple((f, n) for f, n in monomial if f != atom)] = c
    return Expr(k), Expr(r)


def step(x: Expr) -> Expr:
    """1/D, where D is a positive integer such that x·D is an integer for all sizes; 0 if none is known."""
    monomial, _ = denominator(x.terms.items())
    cleared = x * Expr({monomial: 1})
    if any(isinstance(f, Atom) for f, _ in monomial) or _integer_terms(cleared).terms != cleared.terms:
        return Expr()
    return 1 / (Expr({monomial: 1}) * lcm(*(c.denominator for c, _ in binomials(cleared))))
