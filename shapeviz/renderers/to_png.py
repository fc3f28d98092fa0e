"""PNG, at 96 dots an inch."""

from __future__ import annotations

from shapeviz.page import Page
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._graphviz import draw


def render(page: Page, view: View) -> bytes:
    """The figure of the page, drawn by Graphviz."""
    return draw(page, view, "png")


renderer = Renderer(render, "The figure as PNG.", suffixes=(".png",), draws=True, binary=True)
