"""The walk of shapes, symbolic and numeric, step by step."""

from __future__ import annotations

from shapeviz.cli._measured import show
from shapeviz.cli._options import Request
from shapeviz.page.views import trace_page


def run(request: Request) -> None:
    show(request, trace_page)
