"""The KV cache: bytes that each token adds, and bytes of all sequences at their length."""

from __future__ import annotations

from shapeviz.cli._options import Request
from shapeviz.cli._output import BY_KIND, show

PARAMETERS = [BY_KIND]


def run(request: Request) -> None:
    show(request, ("kv_cache", "cache"), by_kind=request.extra["by_kind"])
