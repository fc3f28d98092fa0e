"""The walk of shapes, symbolic and numeric, step by step."""

from __future__ import annotations

from shapeviz.cli._options import Request
from shapeviz.cli._output import show


def run(request: Request) -> None:
    show(request)
