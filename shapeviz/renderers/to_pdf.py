"""PDF, one page."""

from __future__ import annotations

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._graphviz import draw


def render(page: Page, view: View) -> bytes:
    """The figure of the page, drawn by Graphviz."""
    return draw(page, view, "pdf")


renderer = Renderer(render, "The figure as PDF.", suffixes=(".pdf",), draws=True, binary=True)
