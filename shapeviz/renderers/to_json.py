"""JSON: of a report one object, schema `shapeviz/1`, whatever the page; of lists one of `shapeviz-list/1`."""

from __future__ import annotations

import json

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View


def render(page: Page, view: View) -> str:
    """The object behind the page."""
    return json.dumps(page.data(), ensure_ascii=False, indent=1) + "\n"


renderer = Renderer(render, "Everything, formulas and exact values, as one object.", suffixes=(".json",))
