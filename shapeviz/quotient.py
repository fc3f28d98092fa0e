"""Quotient: one expression over another, exact where division by a sum leaves the polynomials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from shapeviz.errors import SizeError
from shapeviz.expr import Expr, ExprLike, notation
from shapeviz.expr.integrality import content


@dataclass(frozen=True)
class Quotient:
    """`above` over `below`, without the factors that all their terms share.

    >>> B, S = Expr.of("B"), Expr.of("S")
    >>> print(Quotient.of(6 * B * S, 4 * B * S + 2 * B))
    3·S/(2·S + 1)
    """

    above: Expr
    below: Expr

    @staticmethod
    def of(above: Expr, below: Expr) -> Quotient:
        """The quotient of two expressions; zero if `above` is, whatever it is over."""
        if not above.terms:
            return Quotient(above, Expr.of(1))
        shared = content([above, below])
        return Quotient(above / shared, below / shared)

    @property
    def terms(self) -> Mapping[Any, Any]:
        """The terms above the line: none if it is zero for all sizes."""
        return self.above.terms

    @property
    def names(self) -> frozenset[str]:
        """The dimensions that occur."""
        return self.above.names | self.below.names

    def at(self, sizes: Mapping[str, object] | None = None, /, **named: Any) -> Any:
        """The value: an int where it is one, else an exact Fraction; floating point for arrays of sizes.

        Raises SizeError if a dimension has no size, or if nothing stands below the line.
        """
        above, below = self.above.at(sizes, **named), self.below.at(sizes, **named)
        if not isinstance(above, int | Fraction) or not isinstance(below, int | Fraction):
            return above / below
        if not below:
            raise SizeError(f"{self} has no value: nothing stands below the line")
        exact = Fraction(above) / below
        return exact.numerator if exact.denominator == 1 else exact

    def subs(self, sizes: Mapping[str, ExprLike]) -> Quotient:
        """The quotient with dimensions replaced by expressions or numbers."""
        return Quotient.of(self.above.subs(sizes), self.below.subs(sizes))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Quotient):
            return self.above * other.below == other.above * self.below
        if isinstance(other, Expr | int | Fraction):
            return self.above == self.below * other
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.above, self.below))

    # text

    def __str__(self) -> str:
        return self.written(notation.TEXT)

    def written(self, way: notation.Notation, factored: bool = False) -> str:
        """The text in a notation, both sides with what their terms share taken out if asked."""
        above, below = self.above.written(way, factored), self.below.written(way, factored)
        if below == "1":
            return above
        return way.quotient(f"({above})" if _is_sum(above) else above, below, _several(below))

    @property
    def python(self) -> str:
        """Python text that SymPy parses."""
        return self.written(notation.SYMPY)

    @property
    def latex(self) -> str:
        """The quotient in LaTeX."""
        return self.written(notation.LATEX)

    @property
    def javascript(self) -> str:
        """The quotient in JavaScript, rounded as its numbers are."""
        return self.written(notation.JAVASCRIPT)


def _is_sum(text: str) -> bool:
    """True if a plus or minus stands outside of all brackets."""
    depth = 0
    for sign in text[1:]:
        depth += (sign in "({[⌊⌈") - (sign in ")}]⌋⌉")
        if sign in "+-" and depth == 0:
            return True
    return False


def _several(text: str) -> bool:
    """True if it needs brackets below a line: a sum or a product."""
    return any(sign in text for sign in "+-*/·× ")
