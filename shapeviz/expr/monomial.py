"""A monomial: factors (dimensions or atoms) with their powers, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import lcm
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from shapeviz.expr.polynomial import Expr

Number = Union[int, Fraction]
Factor = Union[str, "Atom"]
Monomial = tuple[tuple[Factor, int], ...]
Terms = Mapping[Monomial, Number]


@dataclass(frozen=True, eq=False)
class Atom:
    """`min`, `max`, `floor` or `ceil` of expressions: a factor that is no power of a dimension.

    Two atoms are equal if they are written alike; that they may mean the same is for Expr to find out.
    """

    function: str
    args: tuple[Expr, ...]

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return self.function, *(tuple(arg.terms.items()) for arg in self.args)

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Atom) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash


@cache
def _rank(factor: Factor) -> tuple[Any, ...]:
    """Capitals first, then single letters, then words, the longest first: `2·B·S²·h·d_model·d_k`."""
    if isinstance(factor, Atom):
        return (3, 0, factor.function + str([str(arg) for arg in factor.args]), 0)
    stem = factor.rstrip("0123456789")
    group = 0 if stem[0].isupper() else 1 if len(stem) == 1 else 2
    return (group, -len(stem) if group == 2 else 0, stem, int(factor[len(stem) :] or -1), factor)


@cache
def term_rank(monomial: Monomial) -> tuple[Any, ...]:
    """The order of terms: the highest degree first."""
    degree = sum(power for _, power in monomial)
    return (-degree, tuple((_rank(factor), -power) for factor, power in monomial))


@cache
def times(a: Monomial, b: Monomial) -> Monomial:
    """The product, its factors in order."""
    powers = dict(a)
    for factor, power in b:
        powers[factor] = powers.get(factor, 0) + power
    return tuple(sorted(((f, n) for f, n in powers.items() if n), key=lambda item: _rank(item[0])))


def denominator(terms: Iterable[tuple[Monomial, Number]]) -> tuple[Monomial, int]:
    """The least product that rids all terms of negative powers and fractions when they are multiplied by it."""
    powers: dict[Factor, int] = {}
    terms = list(terms)
    for monomial, _ in terms:
        for factor, power in monomial:
            if power < 0:
                powers[factor] = max(powers.get(factor, 0), -power)
    return times((), tuple(powers.items())), lcm(*(c.denominator for _, c in terms))


def integral(factor: Factor) -> bool:
    """True if the factor is an integer for all sizes."""
    if isinstance(factor, str) or factor.function in ("floor", "ceil"):
        return True
    return all(arg.integral for arg in factor.args)
