"""A monomial: factors (dimensions or atoms) with their powers, in the order in which they are printed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from shapeviz.expr.polynomial import Expr

Number = Union[int, Fraction]
Factor = Union[str, "Atom"]
Monomial = tuple[tuple[Factor, int], ...]


@dataclass(frozen=True)
class Atom:
    """`min`, `max`, `floor` or `ceil` of expressions: a factor that is no power of a dimension."""

    function: str
    args: tuple[Expr, ...]


@cache
def _rank(factor: Factor) -> tuple[Any, ...]:
    """Capitals first, then single letters, then words, the longest first: `2·B·S²·h·d_model·d_k`."""
    if isinstance(factor, Atom):
        return (3, 0, factor.function + str([str(arg) for arg in factor.args]), 0)
    stem = factor.rstrip("0123456789")
    group = 0 if stem[0].isupper() else 1 if len(stem) == 1 else 2
    return (group, -len(stem) if group == 2 else 0, stem, int(factor[len(stem) :] or 0))


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


def integral(factor: Factor) -> bool:
    """True if the factor is an integer for all sizes."""
    if isinstance(factor, str) or factor.function in ("floor", "ceil"):
        return True
    return all(arg.integral for arg in factor.args)
