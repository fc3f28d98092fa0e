"""SVG with a viewBox, a tooltip and an id on every node."""

from __future__ import annotations

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._graphviz import draw


def render(page: Page, view: View) -> str:
    """The figure of the page, drawn by Graphviz."""
    return draw(page, view, "svg").decode()


renderer = Renderer(render, "The figure as SVG, with tooltips.", suffixes=(".svg",), draws=True)
