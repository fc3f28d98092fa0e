"""One tree in a letter from trees at some of its values: every expression in it a polynomial in that letter, or none.

What a class takes for a number cannot be a symbol while it runs: how many layers a loop makes, the side of a kernel. So
it is run at several values, and if the trees are alike but for their expressions, each of these is interpolated
(Lagrange): of the lowest degree that meets all values, with at least one value more than it needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from shapeviz.expr import Atom, Expr, total
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Factor, Monomial
from shapeviz.expr.substitute import FUNCTIONS
from shapeviz.interpolation.exact import newton
from shapeviz.tracing.combine_trees import Combined, UnlikeTreesError


class NoPolynomialError(UnlikeTreesError):
    """The trees are alike but for an expression that would take all values: with more of them there may be one."""


NUMBER = re.compile(r"\d+")


def interpolated(letter: str, trees: Mapping[int, Any], confirmed: bool = True) -> Any:
    """The tree whose expressions have the letter in them. Raises UnlikeTreesError where there is none.

    trees: by the value of the letter. confirmed: of polynomials, only those that take fewer values than there are.
    """
    points = [*trees]
    expression = partial(_expression, letter, points, confirmed)
    return Combined(expression, partial(_text, letter, points)).of([*trees.values()])


def _expression(letter: str, points: Sequence[int], confirmed: bool, values: Sequence[Expr]) -> Expr:
    """The expression that has these values at these points."""
    first = values[0]
    if all(value is first or value == first for value in values):
        return first
    atoms = [_atoms(value) for value in values]
    if any(len(own) != len(atoms[0]) for own in atoms):
        raise UnlikeTreesError(f"{first} in one, {values[1]} in another")
    places: dict[str, Expr] = {}
    for i, column in enumerate(zip(*atoms, strict=True)):
        if len({atom.function for atom in column}) > 1 or len({len(atom.args) for atom in column}) > 1:
            raise UnlikeTreesError(f"{first} in one, {values[1]} in another")
        inner = zip(*(atom.args for atom in column), strict=True)
        arguments = [_expression(letter, points, confirmed, values) for values in inner]
        places[f"atom_{i}"] = FUNCTIONS[column[0].function](*arguments)
    plain = [
        _placed(value, {atom: f"atom_{i}" for i, atom in enumerate(own)})
        for value, own in zip(values, atoms, strict=True)
    ]
    monomials: dict[Monomial, None] = dict.fromkeys(monomial for value in plain for monomial in value.terms)
    parts = (
        polynomial(letter, points, [Fraction(value.terms.get(monomial, 0)) for value in plain], confirmed)
        * Expr({monomial: 1})
        for monomial in monomials
    )
    return total(parts).subs(places)


def polynomial(letter: str, points: Sequence[int], values: Sequence[Fraction], confirmed: bool = True) -> Expr:
    """The polynomial of the lowest degree through these points, by Newton's divided differences.

    Raises UnlikeTreesError if it takes all points, so that none of them confirms it, as it must be confirmed.

    >>> print(polynomial("k", (2, 3, 4, 5), [Fraction(n * n + 1) for n in (2, 3, 4, 5)]))
    k² + 1
    """
    coefficients = newton(points, values)
    if confirmed and coefficients[-1]:
        raise NoPolynomialError(
            f"no polynomial in {letter} of a degree below {len(points) - 1}: {', '.join(map(str, values))}"
        )
    return total(Expr.symbol(letter) ** power * coefficient for power, coefficient in enumerate(coefficients))


def _atoms(value: Expr) -> list[Atom]:
    """The atoms of an expression in the order in which they are written, each once."""
    return list(dict.fromkeys(f for monomial in value.terms for f, _ in monomial if isinstance(f, Atom)))


def _placed(value: Expr, names: Mapping[Atom, str]) -> Expr:
    def replaced(factor: Factor, power: int) -> Expr:
        return Expr.symbol(factor if isinstance(factor, str) else names[factor]) ** power

    return mapped(value, replaced)


def _text(letter: str, points: Sequence[int], values: Sequence[str]) -> str:
    """A text in which numbers depend on the letter; where that is no polynomial, an ellipsis stands for the number."""
    pieces = {tuple(NUMBER.split(value)) for value in values}
    if len(pieces) > 1:
        raise UnlikeTreesError(f"{values[0]!r} in one, {values[1]!r} in another")
    (between,) = pieces
    numbers = []
    for column in zip(*(NUMBER.findall(value) for value in values), strict=True):
        try:
            numbers.append(str(polynomial(letter, points, [Fraction(int(number)) for number in column])))
        except UnlikeTreesError:
            if len(points) < 3:
                raise
            numbers.append("…")
    return "".join(piece + number for piece, number in zip(between, [*numbers, ""], strict=True))
