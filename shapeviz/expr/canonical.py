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

from shapeviz.errors import SizeError
from shapeviz.expr.integrality import linear, step, whole
from shapeviz.expr.min_max import cases, extreme, never_below, order, positive
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Atom, Expr, Factor, Number

PRIMES = (2, 3, 5, 7)


def normal(x: Expr) -> Expr:
    """The same value, written in the one way."""
    return _each_atom(_each_atom(x, _rewritten), _chosen) if x.atoms else x


def _each_atom(x: Expr, rule: Callable[[Atom], Expr]) -> Expr:
    def replaced(factor: Factor, power: int) -> Expr:
        return _power(rule(factor), power) if isinstance(factor, Atom) else Expr({((factor, power),): 1})

    return mapped(x, replaced)


def _power(x: Expr, power: int) -> Expr:
    """A sum has no inverse among the expressions: it becomes an atom, as the least of itself alone."""
    if power > 0 or len(x.terms) == 1:
        return x**power
    return Expr.atom("min", _each_atom(x, _chosen)) ** power


@cache
def _rewritten(atom: Atom) -> Expr:
    if atom.function in ("min", "max"):
        return extreme(atom.function, atom.args)
    x = _each_atom(atom.args[0], _rewritten)
    return _floor(x) if atom.function == "floor" else -_floor(-x)


@cache
def _chosen(atom: Atom) -> Expr:
    """Of the floors that sum up to something simpler, all but one, by which the last one is written.

    ⌊x⌋ = -⌊1 - 1/D - x⌋ if x·D is an integer, and ⌊y⌋ + ⌊y + 1/p⌋ + … + ⌊y + (p - 1)/p⌋ = ⌊p·y⌋; for p that divide D,
    the digits of the constant in base p decide which one goes.
    """
    floor = Expr.atom(atom.function, *atom.args)
    unit = step(atom.args[0]) if atom.function == "floor" else Expr()
    if not unit.terms:
        return floor
    integer, mirrored = _mirrored(atom.args[0])
    (x, constant), (other, _) = _varying(atom.args[0]), _varying(mirrored)
    if order(other) < order(x):
        return integer - _chosen(Atom("floor", (mirrored,)))
    D = int(1 / unit) if unit.is_constant else 1
    for p in PRIMES:
        power = gcd(D, p ** D.bit_length())  # the part of D that is a power of p
        digits = int(constant * D) * pow(D // power, -1, power) % power
        if digits * p >= power * (p - 1):
            steps = [constant % Fraction(1, p) + Fraction(j, p) for j in range(p)]
            others = (_floor(x + c) for c in steps if c != constant)
            return _each_atom(_floor(p * (x + steps[0])) - sum(others, Expr()), _chosen)
    return floor


def _floor(x: Expr) -> Expr:
    """⌊x⌋ as the floor of a reduced argument, or without one."""
    integer = whole(x)
    rest = x - integer
    if not step(x).terms:
        return integer + Expr.atom("floor", rest)
    rest = _on_grid(rest, step(rest))
    taken, mirrored = _mirrored(rest)
    for outside, sign, y in ((Expr(), 1, x), (integer, 1, rest), (integer + taken, -1, mirrored)):
        if (n := _constant(y)) is not None:
            return outside + sign * n
    ways = [(integer, 1, _merged(rest)), (integer + taken, -1, _merged(mirrored))]
    for outside, sign, inner in sorted(ways, key=lambda way: len(way[0].atoms)):
        if inner is not None:
            return outside + sign * _floor(inner)
    return integer + Expr.atom("floor", rest)


def _constant(x: Expr) -> int | None:
    """⌊x⌋ if it is known to be the same for all sizes, and then that of the least ones."""
    try:
        n: int = x.at(dict.fromkeys(x.names, 1)) // 1
    except SizeError:  # it has no value there: a divisor is zero
        return None
    return n if cases(x) <= 4 and never_below(x - n) and positive(n + 1 - x) else None


def _mirrored(x: Expr) -> tuple[Expr, Expr]:
    """n and y of ⌊x⌋ = n - ⌊y⌋."""
    y = 1 - step(x) - x
    integer = whole(y)
    return -integer, _on_grid(y - integer, step(x))


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
    """(y + n)/D if x is (⌊y⌋ + n)/D, which have the same floor for integers n and D > 0.

    Only where there is one such y, and what varies in n does not cancel with it.
    """
    unit, found = step(x), []
    for atom in x.atoms:
        parts = linear(x / unit, atom) if atom.function == "floor" else None
        if parts and parts[0].terms == {(): 1}:
            found.append((atom.args[0], parts[1]))
    if len(found) != 1:
        return None
    ((y, n),) = found
    return (y + n) * unit if n.is_constant or step((y + n) * unit) == step(y) * unit else None
