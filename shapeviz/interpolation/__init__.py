"""Interpolation: the polynomial that a function of integers is, found from its values at few points, exactly.

The function is a black box: what a class counts, built at these sizes. Nothing is assumed of it but that it is a
polynomial in its letters, and points that were not used to find the formula tell if it is none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Generic, TypeVar

from shapeviz.expr import Expr, ExprLike, total
from shapeviz.interpolation.zippel import Domain, NotPolynomialError, Point, Search, WrongAnchorError

__all__ = ["Domain", "Found", "NotPolynomialError", "at_arguments", "interpolate", "interpolate_each"]

DEGREE = 8
ANCHORS = 2
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Found(Generic[Key]):
    """Formulas by the key of what they count, from so many evaluations of the black box.

    `chance` bounds the probability that one of them is false and the fresh points do not show it, provided that the
    black box is a polynomial of the `degrees` found in each letter: the sum of degree / number of values over the
    letters, for each of the fresh points (Schwartz 1980, "Fast probabilistic algorithms for verification of polynomial
    identities", lemma 1; Zippel 1979). Letters with few values do not enter: of these a fresh point is checked at as
    many as decide a polynomial.
    """

    formulas: Mapping[Key, Expr]
    evaluations: int
    chance: Fraction
    degrees: Mapping[str, int]

    @property
    def expr(self) -> Expr:
        """The sum of all formulas: of one alone, the formula."""
        return total(self.formulas.values())


def interpolate(
    black_box: Callable[[Point], int], letters: Mapping[str, Domain], *, fresh: int = 3, degree: int = DEGREE
) -> Found[str]:
    """The polynomial that a function of the letters is. Raises as `interpolate_each` does.

    >>> found = interpolate(lambda x: x["d"] * (12 * x["d"] * x["N"] + x["V"]), {n: range(1, 999) for n in "dNV"})
    >>> print(found.expr, found.evaluations, float(found.chance) < 1e-6)
    12·N·d² + V·d 15 True
    """
    return interpolate_each(lambda point: {"": black_box(point)}, letters, fresh=fresh, degree=degree)


def interpolate_each(
    black_box: Callable[[Point], Mapping[Key, int]],
    letters: Mapping[str, Domain],
    *,
    fresh: int = 3,
    degree: int = DEGREE,
) -> Found[Key]:
    """The polynomials that a function gives by key, all found from the same points; a key that is missing counts zero.

    Letters may not depend on each other: every combination of values must be admissible (`at_arguments` makes a black
    box with d_model = h·d_k of one that takes d_model). Raises NotPolynomialError, with the letter and the values along
    it, if a letter has not enough values or a degree above `degree`, or if no formula agrees with the fresh points.
    """
    evaluations, reason = 0, NotPolynomialError("")
    for confirming in range(1, ANCHORS + 1):
        search = Search(black_box, letters, degree, confirming, Random(f"anchor {confirming}"))
        try:
            search.run()
            search.check(fresh)
        except (WrongAnchorError, NotPolynomialError) as error:
            # a coefficient that is zero there and nowhere else, or a line that only seemed to be of a lower degree
            refused = isinstance(error, NotPolynomialError)
            reason = NotPolynomialError(str(error) if refused else f"no polynomial: {error}", error.key)
            evaluations += len(search.seen)
        else:
            chance = min(confirming * search.chance**fresh, Fraction(1))
            return Found(search.formulas, evaluations + len(search.seen), chance, search.degrees)
    raise reason


def at_arguments(
    black_box: Callable[[Point], Mapping[Key, int]], arguments: Mapping[str, ExprLike]
) -> Callable[[Point], Mapping[Key, int]]:
    """A black box in letters of one whose arguments are expressions in them: {"d_model": Expr.of("h") * "d_k"}."""
    formulas = {name: Expr.of(value) for name, value in arguments.items()}
    return lambda point: black_box({name: int(formula.at(point)) for name, formula in formulas.items()})
