"""Comma-separated values: of a report a line a block or step, of lists a line an entry."""

from __future__ import annotations

import csv
import io

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View


def render(page: Page, view: View) -> str:
    """The sheet behind the page."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(page.sheet())
    return out.getvalue()


renderer = Renderer(render, "Comma-separated values, a line a block.", suffixes=(".csv",))
