"""Arithmetic as people write it, `4,465,920 × 6 + 7,617,192 × 8`, evaluated exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from shapeviz.expr import parse as formulas

LONGEST = 500  # characters of one sum
NUMBER = re.compile(formulas.GROUPED + "|[0-9]+")


@dataclass(frozen=True)
class Sum:
    """Arithmetic of numbers alone: as it was written, and the numbers that occur, each once, in order."""

    written: str
    numbers: tuple[int, ...]

    @property
    def text(self) -> str:
        """The same on one line."""
        return " ".join(self.written.split())

    def value(self, replaced: Mapping[int, int] | None = None) -> int | Fraction:
        """What it comes to, exactly; with some of its numbers replaced. Raises InputError.

        >>> parse("2 × 1,024").value(), parse("2 × 1,024").value({1024: 512})
        (2048, 1024)
        """
        changed = replaced or {}
        return _value(self.written, lambda number: changed.get(number, number))


def parse(text: str) -> Sum:
    """A sum from its text: what `shapeviz.expr.parse` reads, without names, and with thousands separators.

    Raises InputError for anything else, for a division by zero and for results beyond about 10^1000.
    """
    numbers: dict[int, None] = {}

    def noted(number: int) -> int:
        numbers[number] = None
        return number

    _value(text, noted)
    return Sum(text, tuple(numbers))


def _value(text: str, number: Callable[[int], int]) -> int | Fraction:
    value: int | Fraction = formulas.parse(text, (), grouped=True, number=number, longest=LONGEST).at()
    return value


def digits(text: str) -> str:
    """A number's digits without thousands separators.

    >>> digits("7,617,024")
    '7617024'
    """
    return re.sub("[^0-9]", "", text)
