"""Sizes by name, `NAME=N`: each a positive integer that torch can take, under a name that formulas can have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shapeviz.errors import InputError, SizeError
from shapeviz.expr import Expr
from shapeviz.keys import from_text, integer
from shapeviz.tracing.limits import LARGEST_SIZE


def assigned(pairs: Iterable[str], flag: str) -> dict[str, int]:
    """Pairs `NAME=N` of a flag as numbers. Raises InputError or SizeError.

    >>> assigned(["B=32", "S=4096"], "--size")
    {'B': 32, 'S': 4096}
    """
    numbers: dict[str, int] = {}
    for pair in pairs:
        name, equals, number = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise InputError(f"{flag} {short(pair)}: write it as NAME=N, for instance {flag} B=32")
        if name in numbers:
            raise InputError(f"{flag} {short(pair)}: {name} is given twice, first as {numbers[name]}: keep one")
        numbers |= checked({name: number}, flag)
    return numbers


def varied(texts: Iterable[str]) -> dict[str, str]:
    """The arguments of a class that are letters, `dim,heads`, or expressions, `width=8*w`. Raises InputError.

    >>> varied(["dim,width=8*w", "heads"])
    {'dim': 'dim', 'width': '8*w', 'heads': 'heads'}
    """
    arguments: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in re.split(r",(?![^(]*\))", text)):
        name, equals, expression = (piece.strip() for piece in part.partition("="))
        if not name.isidentifier() or (equals and not expression):
            raise InputError(f"--vary {short(part)}: name arguments of the class, as in dim,heads or width=8*w")
        if name in arguments:
            raise InputError(f"--vary {short(part)}: {name} is given twice: keep one")
        arguments[name] = expression or name
    return arguments


def checked(numbers: Mapping[str, object], flag: str) -> dict[str, int]:
    """The same numbers, every one a positive integer under a name that formulas can have. Raises SizeError."""
    sizes = {}
    for name, number in numbers.items():
        long = isinstance(number, int) and abs(number) > LARGEST_SIZE  # Python writes no more than 4300 digits
        label = f"{flag} {short(f'{name}=' + ('…' if long else str(number)))}"
        try:
            for step in name.split("."):  # a key of a configuration within one is a path
                Expr.symbol(step)
        except SizeError as error:
            raise SizeError(f"{label}: {error}") from None
        sizes[name] = positive(number, label)
    return sizes


def positive(value: object, label: str) -> int:
    """A positive integer or the text of one, no larger than torch can take. Raises SizeError, with the label first."""
    return integer(value, label, "a positive integer", 1, from_text, LARGEST_SIZE)


def short(text: str) -> str:
    """A text for a message: at most 60 characters, in quotes if it is not plain."""
    plain = text.isprintable() and " " not in text and text
    shown = text if plain else repr(text)
    return shown if len(shown) <= 60 else shown[:60] + "…"
