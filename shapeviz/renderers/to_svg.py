"""SVG with a viewBox, a tooltip and an id on every node."""

from __future__ import annotations

from shapeviz.renderers import View
from shapeviz.renderers._graphviz import draw
from shapeviz.report import Report


def render(report: Report, view: View) -> str:
    """The figure of the view, drawn by Graphviz."""
    return draw(report, view, "svg").decode()
