"""Comma-separated values: of a report a line a block or step, of lists a line an entry."""

from __future__ import annotations

import csv
import io
import re

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View
from shapeviz.wording import in_a_line

COMPUTED = ("=", "+", "-", "@")
NUMBER = re.compile(r"[+-]?[0-9][0-9_,]*(\.[0-9]+)?")


def render(page: Page, view: View) -> str:
    """The sheet behind the page; a text that a spreadsheet would compute has an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in page.sheet())
    return out.getvalue()


def _cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = in_a_line(cell)
    return f"'{text}" if text.startswith(COMPUTED) and not NUMBER.fullmatch(text) else text


renderer = Renderer(render, "Comma-separated values, a line a block.", suffixes=(".csv",))
