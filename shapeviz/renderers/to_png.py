"""PNG, at 96 dots an inch."""

from __future__ import annotations

from shapeviz.renderers import View
from shapeviz.renderers._graphviz import draw
from shapeviz.report import Report


def render(report: Report, view: View) -> bytes:
    """The figure of the view, drawn by Graphviz."""
    return draw(report, view, "png")
