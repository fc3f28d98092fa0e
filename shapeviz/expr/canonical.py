"""The canonical form by which expressions with atoms are compared: `floor` and `min` alone, with reduced arguments.

Polynomials need none of this, and it is loaded when the first atom is compared: `Expr.normal`, which `==` and `hash`
use, is its only door. Equal forms mean equal values for all sizes, since every rule below is an identity; the
reverse holds for polynomials, and for atoms as far as the rules reach.

    ⌈x⌉ = -⌊-x⌋,  max(a, b) = a + b - min(a, b)                               two functions instead of four
    ⌊n + x⌋ = n + ⌊x⌋,  ⌊(⌊y⌋ + n)/D⌋ = ⌊(y + n)/D⌋                           for integers n and D > 0
    ⌊x⌋ = -⌊1 - 1/D - x⌋                                                      where x·D is an integer
    ⌊y⌋ + ⌊y + 1/p⌋ + … + ⌊y + (p - 1)/p⌋ = ⌊p·y⌋                              Hermite's identity

(Graham, Knuth and Patashnik, Concrete Mathematics, 2nd edition, chapter 3: the second line is 3.11, the last 3.26.)

S - ⌈S/2⌉ and ⌊S/2⌋: the ceiling becomes -⌊-S/2⌋, the mirror of which is ⌊-S/2⌋ = -⌊1 - 1/2 + S/2⌋ = -⌊S/2 + 1/2⌋; by
Hermite, with p = 2 and y = S/2, that is ⌊S⌋ - ⌊S/2⌋ = S - ⌊S/2⌋. So the difference is S - (S - ⌊S/2⌋) = ⌊S/2⌋.

>>> S = Expr.of("S")
>>> normal(S - Expr.atom("ceil", S / 2)), normal(Expr.atom("floor", S / 2))
(Expr('⌊S/2⌋'), Expr('⌊S/2⌋'))
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

PRIMES = (2, 3, 5, 7)  # p of Hermite's identity: what strides and patches are made of


def normal(x: Expr) -> Expr:
    """The same value, written in the one way."""
    return _each_atom(_each_atom(x, _by_floor_and_min), _by_independent_floors) if x.atoms else x


def _each_atom(x: Expr, rule: Callable[[Atom], Expr]) -> Expr:
    def replaced(factor: Factor, power: int) -> Expr:
        return _power(rule(factor), power) if isinstance(factor, Atom) else Expr({((factor, power),): 1})

    return mapped(x, replaced)


def _power(x: Expr, power: int) -> Expr:
    """A sum has no inverse among the expressions: it becomes an atom, as the least of itself alone."""
    if power > 0 or len(x.terms) == 1:
        return x**power
    return Expr.atom("min", _each_atom(x, _by_independent_floors)) ** power


@cache
def _by_floor_and_min(atom: Atom) -> Expr:
    if atom.function in ("min", "max"):
        return extreme(atom.function, atom.args)
    x = _each_atom(atom.args[0], _by_floor_and_min)
    return _reduced_floor(x) if atom.function == "floor" else -_reduced_floor(-x)


@cache
def _by_independent_floors(atom: Atom) -> Expr:
    """Of the floors whose sum is something simpler, by Hermite's identity, all but one, which is written by them.

    Of ⌊S/3⌋, ⌊S/3 + 1/3⌋ and ⌊S/3 + 2/3⌋, which sum up to S, the last goes. In general the floor goes whose constant,
    in units of 1/D, has the first digit p - 1 in base p: one of the p that differ by multiples of 1/p.

    >>> _by_independent_floors(Atom("floor", (Expr.of("S") / 3 + Fraction(2, 3),)))
    Expr('S - ⌊S/3⌋ - ⌊S/3 + 1/3⌋')
    """
    floor = Expr.atom(atom.function, *atom.args)
    unit = step(atom.args[0]) if atom.function == "floor" else Expr()
    if not unit.terms:
        return floor
    integer, mirrored = _mirrored(atom.args[0])
    (x, constant), (other, _) = _without_constant(atom.args[0]), _without_constant(mirrored)
    if order(other) < order(x):
        return integer - _by_independent_floors(Atom("floor", (mirrored,)))
    D = int(1 / unit) if unit.is_constant else 1
    for p in PRIMES:
        power = gcd(D, p ** D.bit_length())  # the part of D that is a power of p
        # With D = power·m, times 1/m modulo power: 1/p more in the constant is then 1 more in the first digit alone.
        digits = int(constant * D) * pow(D // power, -1, power) % power
        if digits * p >= power * (p - 1):
            steps = [constant % Fraction(1, p) + Fraction(j, p) for j in range(p)]
            others = (_reduced_floor(x + c) for c in steps if c != constant)
            return _each_atom(_reduced_floor(p * (x + steps[0])) - sum(others, Expr()), _by_independent_floors)
    return floor


def _reduced_floor(x: Expr) -> Expr:
    """⌊x⌋ as the floor of a reduced argument, or without one.

    >>> S, w = Expr.of("S"), Expr.of("w")
    >>> _reduced_floor(S**2 / 2)  # S²/2 = (S² - S)/2 + S/2, and one of two neighbours is even
    Expr('S²/2 - S/2 + ⌊S/2⌋')
    >>> _reduced_floor((w - 1) / w)  # at least 0 and below 1 for all w
    Expr('0')
    """
    integer = whole(x)
    rest = x - integer
    if not step(x).terms:
        return integer + Expr.atom("floor", rest)
    rest = _on_grid(rest, step(rest))
    taken, mirrored = _mirrored(rest)
    for outside, sign, y in ((Expr(), 1, x), (integer, 1, rest), (integer + taken, -1, mirrored)):
        if (n := _constant_floor(y)) is not None:
            return outside + sign * n
    ways = [(integer, 1, _nested(rest)), (integer + taken, -1, _nested(mirrored))]
    for outside, sign, inner in sorted(ways, key=lambda way: len(way[0].atoms)):
        if inner is not None:
            return outside + sign * _reduced_floor(inner)
    return integer + Expr.atom("floor", rest)


def _constant_floor(x: Expr) -> int | None:
    """⌊x⌋ if it is known to be the same for all sizes, and then that of the least ones."""
    try:
        n: int = x.at(dict.fromkeys(x.names, 1)) // 1
    except SizeError:  # it has no value there: a divisor is zero
        return None
    return n if cases(x) <= 4 and never_below(x - n) and positive(n + 1 - x) else None


def _mirrored(x: Expr) -> tuple[Expr, Expr]:
    """n and y of ⌊x⌋ = n - ⌊y⌋: the mirror image of x between two integers, y = 1 - 1/D - x where x·D is an integer.

    >>> _mirrored(Expr.of("S") / 2)  # ⌊S/2⌋ = S - ⌊S/2 + 1/2⌋
    (Expr('S'), Expr('S/2 + 1/2'))
    """
    y = 1 - step(x) - x
    integer = whole(y)
    return -integer, _on_grid(y - integer, step(x))


def _without_constant(x: Expr) -> tuple[Expr, Number]:
    constant = x.terms.get((), 0)
    return x - constant, constant


def _on_grid(x: Expr, unit: Expr) -> Expr:
    """Without the part of the constant that is too small to matter: ⌊S/2 + 1/3⌋ = ⌊S/2⌋.

    What varies moves in steps of 1/D, so only multiples of 1/D in the constant can make the floor another. In units
    of 1/D, the constant is the term with the powers of 1/D.
    """
    ((monomial, _),) = unit.terms.items()
    constant = x.terms.get(monomial, 0)
    varying = x - Expr({monomial: constant})
    ((_, size),) = step(varying + Expr({monomial: 1})).terms.items()
    x = varying + Expr({monomial: constant // size * size})
    return x if step(x).terms.keys() == unit.terms.keys() else _on_grid(x, step(x))


def _nested(x: Expr) -> Expr | None:
    """(y + n)/D if x is (⌊y⌋ + n)/D, which have the same floor for integers n and D > 0.

    Only where there is one such y, and what varies in n does not cancel with it.

    >>> _nested((Expr.atom("floor", Expr.of("S") / 2) + 1) / 3)  # two strided convolutions are one
    Expr('S/6 + 1/3')
    """
    unit, quotients = step(x), []
    for atom in x.atoms:
        parts = linear(x / unit, atom) if atom.function == "floor" else None
        if parts and parts[0].terms == {(): 1}:
            quotients.append((atom.args[0], parts[1]))
    if len(quotients) != 1:
        return None
    ((y, n),) = quotients
    return (y + n) * unit if n.is_constant or step((y + n) * unit) == step(y) * unit else None
