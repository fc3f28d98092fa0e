"""The normal form by which expressions are compared: `floor` and `min` alone, with reduced arguments.

⌈x⌉ = -⌊-x⌋ and max(a, b) = a + b - min(a, b). Of a floor everything is taken out that is an integer for all sizes,
of a min what all arguments share. Equal normal forms mean equal values for all sizes; the reverse holds for
polynomials, and for atoms as far as these rules reach.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import gcd

from shapeviz.expr.known import atoms, linear, step, whole
from shapeviz.expr.lattice import extreme, never_below, order, positive
from shapeviz.expr.monomial import Atom, Number
from shapeviz.expr.polynomial import Expr

PRIMES = (2, 3, 5, 7)
SMALL = range(2, 9)


def normal(x: Expr) -> Expr:
    """The same value, written in the one way."""
    return _each_atom(_each_atom(x, _rewritten), _spread) if atoms(x) else x


def _each_atom(x: Expr, rule: Callable[[Atom], Expr]) -> Expr:
    total = Expr()
    for monomial, coefficient in x.terms.items():
        term = Expr.of(coefficient)
        for factor, power in monomial:
            term *= _power(rule(factor), power) if isinstance(factor, Atom) else Expr({((factor, power),): 1})
        total += term
    return total


def _power(x: Expr, power: int) -> Expr:
    """A sum has no inverse among the expressions: it becomes an atom, as the least of itself alone."""
    return x**power if power > 0 or len(x.terms) == 1 else Expr({((Atom("min", (x,)), power),): 1})


@cache
def _rewritten(atom: Atom) -> Expr:
    if atom.function in ("min", "max"):
        return extreme(atom.function, atom.args)
    x = _each_atom(atom.args[0], _rewritten)
    return _floor(x) if atom.function == "floor" else -_floor(-x)


@cache
def _spread(atom: Atom) -> Expr:
    """⌊n·y⌋ = ⌊y⌋ + ⌊y + 1/n⌋ + … + ⌊y + (n - 1)/n⌋: for small n the right side is written for the left one.

    Where that is no simpler, D being a multiple of n, one of the floors on the right is written by all others.
    """
    floor = Expr({((atom, 1),): 1})
    if atom.function != "floor" or not (unit := step(atom.args[0])).terms:
        return floor
    (x,) = atom.args
    offset = Expr({m: c for m, c in x.terms.items() if not m or m in unit.terms})
    n = gcd(*(c.numerator for c in (x - offset).terms.values()))
    if n in SMALL:
        return _each_atom(sum((_floor((x + j) / n) for j in range(n)), Expr()), _spread)
    constant, D = x.terms.get((), 0), int(1 / unit) if unit.is_constant else 1
    for p in PRIMES:
        power = gcd(D, p ** D.bit_length())  # the part of D that is a power of p
        digits = int(constant * D) * pow(D // power, -1, power) % power
        if digits * p >= power * (p - 1):
            others = [constant % Fraction(1, p) + Fraction(j, p) for j in range(p)]
            total = _floor(p * (x - constant + others[0])) - sum(
                (_floor(x - constant + c) for c in others if c != constant), Expr()
            )
            return _each_atom(total, _spread)
    return floor


def _floor(x: Expr) -> Expr:
    """⌊x⌋ as the floor of a reduced argument, or that of the opposite: ⌊x⌋ = -⌊1 - 1/D - x⌋ if x·D is an integer."""
    integer = whole(x)
    x -= integer
    unit = step(x)
    if not unit.terms:
        return integer + _atom(x)
    x = _on_grid(x, unit)
    for n in (0, -1):
        if never_below(x - n) and positive(n + 1 - x):
            return integer + n
    mirrored = 1 - step(x) - x
    taken = whole(mirrored)
    mirrored = _on_grid(mirrored - taken, step(x))
    ways = [(integer, 1, x), (integer - taken, -1, mirrored)]
    for outside, sign, y in sorted(ways, key=lambda way: _floors(way[0])):
        if (inner := _merged(y)) is not None:
            return outside + sign * _floor(inner)
    outside, sign, x = min(ways, key=lambda way: order(_varying(way[2])[0]))
    return outside + sign * _atom(x)


def _floors(x: Expr) -> int:
    return sum(atom.function == "floor" for atom in atoms(x))


def _varying(x: Expr) -> tuple[Expr, Number]:
    constant = x.terms.get((), 0)
    return x - constant, constant


def _on_grid(x: Expr, unit: Expr) -> Expr:
    """Without the part of the constant that is too small to matter: ⌊S/2 + 1/3⌋ = ⌊S/2⌋.

    In units of 1/D, the constant is the term with the powers of 1/D.
    """
    ((monomial, _),) = unit.terms.items()
    constant = x.terms.get(monomial, 0)
    varying = x - Expr({monomial: constant})
    ((_, size),) = step(varying + Expr({monomial: 1})).terms.items()
    x = varying + Expr({monomial: constant // size * size})
    return x if step(x).terms.keys() == unit.terms.keys() else _on_grid(x, step(x))


def _merged(x: Expr) -> Expr | None:
    """(y + n)/D if x is (⌊y⌋ + n)/D with one such y: they have the same floor for integers n and D > 0."""
    unit, found = step(x), []
    for atom in atoms(x):
        parts = linear(x / unit, atom) if atom.function == "floor" else None
        if parts and parts[0].terms == {(): 1}:
            found.append((atom.args[0], parts[1]))
    if len(found) != 1:
        return None
    ((y, n),) = found
    return (y + n) * unit


def _atom(x: Expr) -> Expr:
    return Expr({((Atom("floor", (x,)), 1),): 1})
