"""FLOPs of the matrix products of one forward pass, block by block."""

from __future__ import annotations

from shapeviz.cli._measured import BY_KIND, COLUMNS, DTYPE, LESS, MAX, show_costs
from shapeviz.cli._options import Request

EXAMPLES = (
    "shapeviz flops llama-3-8b --seq 4096",
    "shapeviz flops --columns flops,bytes_moved,intensity",
)
PARAMETERS = [MAX, BY_KIND, COLUMNS, DTYPE, *LESS]


def run(request: Request) -> None:
    show_costs(request, "flops")
