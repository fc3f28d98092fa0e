"""The walk of shapes, symbolic and numeric, step by step."""

from __future__ import annotations

from shapeviz.cli._measured import COLUMNS, DTYPE, LESS, chosen, show
from shapeviz.cli._options import Request
from shapeviz.page.views import trace_page

EXAMPLES = (
    "shapeviz trace gpt2 --seq 128",
    'shapeviz trace model.py:UNet --input "float32[B,3,64,64]"',
)
PARAMETERS = [COLUMNS, DTYPE, *LESS]


def run(request: Request) -> None:
    show(request, lambda report: trace_page(report, *chosen(request)))
