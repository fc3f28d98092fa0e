"""What terms have in common: powers, numbers and sums by which some of them can be divided.

A monomial is here the powers of factors that are numbered in the order in which they are printed: of (N, d, k),
2·N·k² is {(1, 0, 2): 2}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import gcd, lcm
from operator import add, sub

from shapeviz.expr.polynomial import Number

Powers = tuple[int, ...]
Numbers = Mapping[Powers, Number]


@lru_cache(4096)
def order(powers: Powers) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The order of terms, as that of `polynomial`: the highest degree first."""
    return -sum(powers), tuple((i, -n) for i, n in enumerate(powers) if n)


def shared_powers(terms: Numbers) -> list[tuple[Powers, list[Powers]]]:
    """Everything that is all that some terms share: those with one factor in common, or with two; and those terms."""
    order = list(terms)
    having: dict[tuple[int, bool], int] = {}  # the terms as the bits of a number
    for bit, powers in enumerate(order):
        for i, n in enumerate(powers):
            if n:
                having[i, n > 0] = having.get((i, n > 0), 0) | 1 << bit
    everything = (1 << len(order)) - 1
    groups = [everything, *having.values(), *(one & other for one, other in combinations(having.values(), 2))]
    shared = []
    for group in dict.fromkeys(groups):
        if group.bit_count() > 1:
            sharing = [powers for bit, powers in enumerate(order) if group >> bit & 1]
            shared.append((common(sharing), sharing))
    return shared


def common(group: Sequence[Powers]) -> Powers:
    """The powers that all have, positive or negative."""
    least = map(min, zip(*group, strict=True))
    return tuple(n if n >= 0 else min(max(powers[i] for powers in group), 0) for i, n in enumerate(least))


def content(terms: Numbers, powers: Powers) -> Number:
    """The number to be taken out with these powers; negative if all coefficients are.

    A common divisor only if that leaves a 1 that need not be written: 2·d·(k + 3), but d·(4·k + 6).
    """
    numbers = terms.values()
    above, below = gcd(*(c.numerator for c in numbers)), gcd(*(c.denominator for c in numbers))
    if all(abs(c.numerator) > above for m, c in terms.items() if m != powers):
        above = 1
    if max(numbers) < 0:
        above = -above
    return above if below == 1 else Fraction(above, below)


def primitive(terms: Numbers) -> frozenset[tuple[Powers, Number]]:
    """Without what all coefficients have in common, so that sums are alike that differ by a number."""
    content = Fraction(gcd(*(c.numerator for c in terms.values())), lcm(*(c.denominator for c in terms.values())))
    return frozenset((powers, exact(c, content)) for powers, c in terms.items())


def exact(number: Number, divisor: Number) -> Number:
    """The quotient, as an int if it is one."""
    if number.denominator == 1 and number % divisor == 0:  # which is fast, and the rule
        return int(number // divisor)
    quotient = Fraction(number) / divisor
    return quotient.numerator if quotient.denominator == 1 else quotient


def quotient(terms: Numbers, divisor: Numbers) -> tuple[dict[Powers, Number], set[Powers]]:
    """All monomials that multiplied by the divisor give terms that are there, and those terms."""
    (first, number), *others = divisor.items()
    multiples: dict[Powers, Number] = {}
    taken: set[Powers] = set()
    for powers, coefficient in terms.items():
        if powers in taken or not all(0 <= a <= b or b <= a <= 0 for a, b in zip(first, powers, strict=True)):
            continue
        q = tuple(map(sub, powers, first))
        c = exact(coefficient, number)
        product = {tuple(map(add, q, m)): c * n for m, n in others}
        if all(terms.get(m) == n and m not in taken for m, n in product.items()):
            multiples[q] = c
            taken |= {powers, *product}
    return multiples, taken
