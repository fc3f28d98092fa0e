"""FLOPs of the matrix products of one forward pass, block by block."""

from __future__ import annotations

from shapeviz.cli._options import Request
from shapeviz.cli._output import BY_KIND, show

PARAMETERS = [BY_KIND]


def run(request: Request) -> None:
    show(request, by_kind=request.extra["by_kind"])
