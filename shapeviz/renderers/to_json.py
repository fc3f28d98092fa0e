"""JSON: of a report one object, schema `shapeviz/1`, whatever the page; of lists one of `shapeviz-list/1`."""

from __future__ import annotations

import json

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View


def render(page: Page, view: View) -> str:
    """The object behind the page; signs that a terminal would obey are written by their numbers."""
    text = json.dumps(page.data(), ensure_ascii=False, indent=1)
    if not text.replace("\n", "").isprintable():
        text = "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)
    return text + "\n"


renderer = Renderer(render, "Everything, formulas and exact values, as one object.", suffixes=(".json",))
