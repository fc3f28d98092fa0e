"""Zippel's search for sparse polynomials: a letter at a time, along lines through an anchor.

For every further value of a letter no more points are needed than the formula found so far has terms, since the terms
in the letters met before stay the same (Zippel 1979, "Probabilistic algorithms for sparse polynomials", section 3).
Degrees are raised until further values agree.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from random import Random
from typing import Generic, TypeVar

from shapeviz.errors import InputError
from shapeviz.expr import Expr, total
from shapeviz.interpolation.exact import newton, rank, solution

Domain = Sequence[int]
"""The admissible values of a letter, such as range(2, 2001, 2)."""
Point = Mapping[str, int]
Key = TypeVar("Key", bound=Hashable)
Powers = tuple[int, ...]  # of the letters met so far, in order
Polynomial = dict[Powers, Fraction]
Lines = dict[Key, dict[Powers, list[Fraction]]]  # the coefficients of terms at some values of the next letter

FEW = 16
"""Of a letter with no more values than that, a fresh point is checked at as many as decide a polynomial."""


class NotPolynomialError(InputError):
    """What was interpolated is no polynomial in the letters, at least none of so low a degree; `key` says which."""

    def __init__(self, message: str, key: object = None) -> None:
        super().__init__(message)
        self.key = key


class WrongAnchorError(Exception):
    """The formulas found from one anchor disagree with a further point, first of all that of the `key`."""

    def __init__(self, message: str, key: object = None) -> None:
        super().__init__(message)
        self.key = key


class Search(Generic[Key]):
    """One search, from one anchor: `found` are the formulas in the letters met so far, the others at the anchor.

    The degree in a letter is found where `confirming` more values agree, of few values where one does.
    """

    def __init__(
        self,
        black_box: Callable[[Point], Mapping[Key, int]],
        letters: Mapping[str, Domain],
        degree: int,
        confirming: int,
        random: Random,
    ) -> None:
        self.black_box, self.letters, self.random = black_box, letters, random
        self.degree, self.confirming = degree, confirming
        # of few values the first: a model with more layers takes longer
        self.few = {name: values for name, values in letters.items() if len(values) <= FEW}
        self.anchor = {name: values[0] if name in self.few else self._drawn(name) for name, values in letters.items()}
        self.seen: dict[tuple[int, ...], Mapping[Key, int]] = {}
        self.found: dict[Key, Polynomial] = {}
        self.met: list[str] = []

    def _drawn(self, name: str) -> int:
        return self.random.choice(self.letters[name])

    def at(self, point: Point) -> Mapping[Key, int]:
        """The values of the black box, each point evaluated once."""
        place = tuple(point[name] for name in self.letters)
        if place not in self.seen:
            self.seen[place] = self.black_box({name: point[name] for name in self.letters})
        return self.seen[place]

    def run(self) -> None:
        """Letter by letter. Raises WrongAnchorError or NotPolynomialError."""
        self.found = {key: {(): Fraction(value)} for key, value in self.at(self.anchor).items() if value}
        for name in self.letters:
            self._meet(name)
            self.met.append(name)

    def _meet(self, name: str) -> None:
        """The next letter: the coefficients of every formula at some values of it, then as polynomials in it."""
        points, values = self._independent(), [self.anchor[name]]
        lines: Lines[Key] = {key: {powers: [c] for powers, c in f.items()} for key, f in self.found.items()}
        while not all(self._settled(name, values, line) for terms in lines.values() for line in terms.values()):
            values.append(self._next(name, values, lines))
            rows = [self.at({**self.anchor, **y, name: values[-1]}) for y in points]
            for key in dict.fromkeys([*self.found, *(key for row in rows for key in row)]):
                for powers, c in self._coefficients(key, points, [row.get(key, 0) for row in rows]).items():
                    lines[key][powers].append(c)
        self.found = {
            key: {(*powers, n): c for powers, line in terms.items() for n, c in enumerate(newton(values, line)) if c}
            for key, terms in lines.items()
        }

    def _independent(self) -> list[dict[str, int]]:
        """Values of the letters met so far at which the coefficients of every formula found can be told apart."""
        points: list[dict[str, int]] = []
        needed = max(map(len, self.found.values()), default=1)
        while len(points) < 20 * needed:
            points.append({name: self._drawn(name) for name in self.met})
            if len(points) >= needed and all(rank(self._rows(f, points)) == len(f) for f in self.found.values()):
                return points
        raise WrongAnchorError(f"{needed} terms cannot be told apart at the values of {', '.join(self.met)}")

    def _rows(self, formula: Polynomial, points: Sequence[Point]) -> list[list[Fraction]]:
        return [[self._monomial(powers, point) for powers in formula] for point in points]

    def _monomial(self, powers: Powers, point: Point) -> Fraction:
        return Fraction(prod(point[name] ** n for name, n in zip(self.letters, powers, strict=False) if n))

    def _coefficients(self, key: Key, points: Sequence[Point], values: list[int]) -> Polynomial:
        """Those with which the terms of a formula give the values, more of which there may be than are needed."""
        formula = self.found.get(key, {})
        solved = solution(self._rows(formula, points), [Fraction(value) for value in values])
        if solved is None:
            raise WrongAnchorError(f"{_label(key)}terms do not show at {_written(self.anchor)}", key)
        return dict(zip(formula, solved, strict=True))

    def _next(self, name: str, values: list[int], lines: Lines[Key]) -> int:
        """One more value of a letter. Raises NotPolynomialError if there is none, or the degree is too high."""
        if name not in self.few and len(values) <= self.degree + self.confirming:
            return next(value for _ in range(10**6) if (value := self._drawn(name)) not in values)
        if left := [value for value in self.few.get(name, ()) if value not in values]:
            return left[0]
        every = ((key, line) for key, terms in lines.items() for line in terms.values())
        key, line = next((key, line) for key, line in every if not self._settled(name, values, line))
        pairs = ", ".join(f"{c} at {value}" for value, c in sorted(zip(values, line, strict=True)))
        degree = f"of degree {min(self.degree, len(values) - 2)} or less" if len(values) > 1 else "that one value shows"
        others = _written({other: value for other, value in self.anchor.items() if other != name})
        raise NotPolynomialError(f"{_label(key)}no polynomial in {name} {degree}: {pairs}; with {others}", key)

    def _settled(self, name: str, values: Sequence[int], line: Sequence[Fraction]) -> bool:
        """Whether the last points lie on the polynomial through the others."""
        more = 1 if name in self.few else self.confirming
        return len(values) > more and not any(newton(values, line)[-more:])

    def check(self, fresh: int) -> None:
        """Whether the formulas hold at fresh points; of letters with few values at as many as decide.

        Raises WrongAnchorError.
        """
        for _ in range(fresh):
            few = {name: self.random.sample(values, self.degrees[name] + 1) for name, values in self.few.items()}
            drawn = {name: self._drawn(name) for name in self.letters if name not in few}
            for chosen in product(*few.values()):
                self._agree({**drawn, **dict(zip(few, chosen, strict=True))})

    def _agree(self, point: Point) -> None:
        values = self.at(point)
        for key in dict.fromkeys([*self.found, *values]):
            terms, value = self.found.get(key, {}), values.get(key, 0)
            expected = sum(c * self._monomial(powers, point) for powers, c in terms.items())
            if expected != value:
                wrong = f"{self._expr(terms)} is {expected} and not {value} at {_written(point)}"
                raise WrongAnchorError(_label(key) + wrong, key)

    @cached_property
    def degrees(self) -> Mapping[str, int]:
        """The degree in each letter, the highest of all formulas."""
        powers = [powers for formula in self.found.values() for powers in formula]
        return {name: max((each[i] for each in powers), default=0) for i, name in enumerate(self.letters)}

    @property
    def chance(self) -> Fraction:
        """That one fresh point does not show a false formula."""
        shares = (Fraction(self.degrees[n], len(values)) for n, values in self.letters.items() if n not in self.few)
        return min(sum(shares, Fraction()), Fraction(1))

    @property
    def formulas(self) -> Mapping[Key, Expr]:
        """What was found."""
        return {key: self._expr(formula) for key, formula in self.found.items() if formula}

    def _expr(self, formula: Polynomial) -> Expr:
        return total(
            prod((Expr.of(name) ** n for name, n in zip(self.letters, powers, strict=True) if n), start=Expr.of(c))
            for powers, c in formula.items()
        )


def _label(key: object) -> str:
    """A key for a message: `flops of h.attn: `."""
    text = " of ".join(map(str, key)) if isinstance(key, tuple) else str(key or "")
    return f"{text}: " if text else ""


def _written(point: Point) -> str:
    return ", ".join(f"{name} = {value}" for name, value in point.items())
