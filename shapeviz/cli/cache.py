"""The KV cache: bytes that each token adds, and bytes of all sequences at their length."""

from __future__ import annotations

from shapeviz.cli._measured import BY_KIND, show
from shapeviz.cli._options import Request
from shapeviz.page.views import cost_page, kind_page

PARAMETERS = [BY_KIND]


def run(request: Request) -> None:
    columns = ("kv_cache", "cache")
    page = kind_page if request.extra["by_kind"] else cost_page
    show(request, lambda report: page(report, *columns), columns)
