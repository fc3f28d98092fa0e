"""Parameters: the formula of every block, its value and share, and the total."""

from __future__ import annotations

from shapeviz.cli._options import Request
from shapeviz.cli._output import show


def run(request: Request) -> None:
    show(request)
