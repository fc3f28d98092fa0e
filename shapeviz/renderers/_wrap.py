"""Text in lines of a terminal's width: no line ends inside a number, a shape or a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from unicodedata import combining, east_asian_width

UNIT = re.compile(r"(?:%|[KMBGTPE]|[KMGTPE]i?B|B|FLOPs?|FLOP/B|set|sets|of)(?=\W|$)")
SIZE = re.compile(r"= [\d,]*\d(?:[,;)]?(?: |$))(?![+×=])")  # `= 32` of a size, `= 26,795,520 + …` of a sum is none
OPERAND = re.compile(r"(?:[+×=·] \S+|\d)$")
OPERATORS = "+-−×·=≠→←≤≥⊙/"


class _Break(NamedTuple):
    """A place where a line may end: `end` of the line, `start` of the next one, what it costs to use it.

    `within` is the length of the word or the group in brackets that is torn there.
    """

    end: int
    start: int
    cost: float
    within: int = 0


def columns(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> columns("d_k"), columns("注意")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def padded(text: str, width: int, right: bool = False) -> str:
    """A text with blanks to a width."""
    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, width: int, indent: str = "", first: int | None = None) -> list[str]:
    """A text in lines of at most this width, all but the first indented; the first may have less room.

    Lines end at spaces, before an operator rather than after it, and outside of brackets rather than inside; a word
    longer than a line is parted after a dot, a slash or a factor, and if it has none, its middle is left out.

    >>> wrapped("h·d_k·(4·d_model + 3) + d_model", 24, "  ")
    ['h·d_k·(4·d_model + 3)', '  + d_model']
    >>> wrapped("of (32, 4096, 1024) and more", 18)
    ['of', '(32, 4096, 1024)', 'and more']
    """
    lines: list[str] = []
    room = width if first is None else first
    for paragraph in text.split("\n"):
        rest = paragraph
        while columns(rest) > room:
            here = _chosen(rest, room, width)
            if here is None and lines == [] and first is not None and first < width:
                lines.append("")  # it begins on a line of its own
            elif here is None:
                lines.append(shortened(rest, room))
                rest = ""
                break
            else:
                lines.append(rest[: here.end])
                rest = rest[here.start :]
            room = width - columns(indent)
        if rest or not paragraph:
            lines.append(rest)
        room = width - columns(indent)
    return [*lines[:1], *(indent + line for line in lines[1:])]


def least(text: str) -> int:
    """The width of the longest part of a text that cannot be parted.

    >>> least("decoder.layer.self_attention"), least("(B, S, d_model)")
    (14, 15)
    """
    start, most = 0, 0
    for one in _breaks(text):
        if one.cost < 1:
            most, start = max(most, columns(text[start : one.end])), one.start
    return max(most, columns(text[start:]))


def shortened(text: str, width: int) -> str:
    """A text without its middle, where it is longer than a line.

    >>> shortened("a_very_long_name", 9)
    'a_ve…name'
    """
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: max(width - 1 - tail, 0)]}…{text[len(text) - tail :]}"


def _chosen(text: str, room: int, width: int) -> _Break | None:
    """The best place in the room of a line: far to its end, and not inside what would fit on a line of its own."""
    fit = [one for one in _breaks(text) if 0 < columns(text[: one.end]) <= room]
    whole = [one for one in fit if one.within == 0 or one.within > width]
    return max(whole or fit if room >= width // 2 else whole, key=lambda one: one.end - one.cost * room, default=None)


@cache
def _breaks(text: str) -> tuple[_Break, ...]:
    return tuple(_places(text))


def _places(text: str) -> Iterator[_Break]:
    groups = _groups(text)

    def torn(start: int, end: int) -> tuple[int, int]:
        """How many brackets are open there, and how long the longest list is that would be torn."""
        around = [group for group in groups if group[0] < end and start <= group[1]]
        return len(around), max((group[1] - group[0] + 1 for group in around if group[2]), default=0)

    words = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    for start, end in words:
        for match in re.finditer(r"[./](?=[^\W\d])|·", text[start:end]):
            at = start + match.end()
            if at < end:
                _, within = torn(at, at)
                yield _Break(at, at, 1.0 if within else 0.5, max(within, end - start))
    for (_, end), (start, after) in pairwise(words):
        before = text[:end]
        operator = before[-1] in OPERATORS and before[-2:-1] in ("", " ")
        unit = before[-1].isdigit() and UNIT.match(text, start)
        bar = text[start] in "█▏▎▍▌▋▊▉" or before.endswith("×")
        equal = text[start:after] == "=" and SIZE.match(text, start) and not OPERAND.search(before)
        if operator or unit or bar or equal:
            continue
        depth, within = torn(start, end)
        clause = 0.0 if start - end > 1 else 0.3 if text[start] in "=←" else 0.1
        yield _Break(end, start, 1.0 if within else min(0.4 * depth, 0.8) or clause, within)


def _groups(text: str) -> list[tuple[int, int, bool]]:
    """Where brackets open and close, and whether a list stands in them: a shape, arguments."""
    groups: list[tuple[int, int, bool]] = []
    open_at: list[tuple[int, str]] = []
    lists: set[int] = set()
    for i, sign in enumerate(text):
        if sign in "([":
            open_at.append((i, sign))
        elif sign == "," and open_at:
            lists.add(open_at[-1][0])
        elif sign in ")]" and open_at:
            start, opened = open_at.pop()
            prose = re.search(r"[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}", text[start:i])
            groups.append((start, i, (start in lists or opened == "[") and not prose))
    return groups
