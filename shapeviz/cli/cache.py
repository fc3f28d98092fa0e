"""The KV cache: bytes of a token, and of all sequences at their length."""

from __future__ import annotations

from shapeviz.analysis import WRITTEN
from shapeviz.cli._measured import BY_KIND, COLUMNS, DTYPE, LESS, MAX, chosen, show_costs
from shapeviz.cli._model import traced
from shapeviz.cli._options import Request
from shapeviz.errors import InputError

EXAMPLES = (
    "shapeviz cache llama-3-8b --seq 32768 --batch 8",
    "shapeviz cache mistral-7b-v0.1 --dtype float8_e4m3fn",
)
IDLE = ("input", "vary", "training", "input_grad", "patience", "via")  # a trace does not tell what is kept
PARAMETERS = [MAX, BY_KIND, COLUMNS, DTYPE, *LESS]


def run(request: Request) -> None:
    if traced(request) and not chosen(request):
        raise InputError(f"the cache of {request.model}: {WRITTEN.otherwise}")
    show_costs(request, "kv_cache", "cache_growth", "cache", apart=("cache_growth", "kv_cache"))
