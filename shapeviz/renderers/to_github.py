"""Annotations of GitHub Actions: a page as one notice on a pull request; what fails is an error there."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.page import Page, Table, Text, plain
from shapeviz.renderers import Renderer, View
from shapeviz.wording import legible

MOST = 40  # lines of a notice


def render(page: Page, view: View) -> str:
    """One notice: of a model its totals, of a list its lines, as far as a reader goes."""
    lines = [line for part in page.parts for line in _lines(part)]
    more = [f"… {len(lines) - MOST} lines more"] if len(lines) > MOST else []
    return annotation("notice", "shapeviz", "\n".join([page.title, *lines[:MOST], *more]))


def annotation(kind: str, title: str, text: str) -> str:
    """A workflow command that annotates, its signs escaped as GitHub reads them.

    >>> annotation("error", "a, b", "50 % more:\\nhere")
    '::error title=a%2C b::50 %25 more:%0Ahere\\n'
    """
    return f"::{kind} title={_escaped(title, ':,')}::{_escaped(text)}\n"


def _escaped(text: str, signs: str = "") -> str:
    lines = "\n".join(map(legible, text.splitlines()))
    return "".join(f"%{ord(sign):02X}" if sign in "%\r\n" + signs else sign for sign in lines)


def _lines(part: object) -> Iterator[str]:
    """What a part says in lines: a flat table its rows, another one what stands below it."""
    match part:
        case Table(document=False) if not any(part.depths) and not part.below:
            for row in part.rows:
                yield "  ".join(filter(None, (plain(cell).strip() for cell in row)))
        case Table(document=False):
            yield from map(plain, part.below)
        case Text(document=False):
            yield from map(plain, (*part.lines, *part.items))


renderer = Renderer(render, "Annotations of GitHub Actions: a notice, and ::error for what fails.")
