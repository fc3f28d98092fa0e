"""FLOPs of the matrix products of one forward pass, block by block."""

from __future__ import annotations

from shapeviz.cli._measured import BY_KIND, show
from shapeviz.cli._options import Request
from shapeviz.page.views import cost_page, kind_page

PARAMETERS = [BY_KIND]


def run(request: Request) -> None:
    page = kind_page if request.extra["by_kind"] else cost_page
    show(request, lambda report: page(report, "flops"))
