"""Parameters: the formula of every block, its value and share, and the total."""

from __future__ import annotations

from inspect import Parameter

import typer

from shapeviz.cli._measured import BY_KIND, COLUMNS, DTYPE, LESS, MAX, show_costs
from shapeviz.cli._options import Request

EXAMPLES = (
    "shapeviz params llama-3-8b --by-kind",
    "shapeviz params --enc 12 --dec 0 --d-model 768 --heads 12 --max-params 100M",
)
PARAMETERS = [
    Parameter(
        "active",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(False, "--active", help="Beside all parameters those that one token meets."),
        annotation=bool,
    ),
    Parameter(
        "max_params",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None, "--max-params", metavar="N", help="A budget for all, 8B or 8000000: exit 1 beyond it."
        ),
        annotation=str | None,
    ),
    Parameter(
        "max_active",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None, "--max-active", metavar="N", help="A budget for what one token meets: exit 1 beyond."
        ),
        annotation=str | None,
    ),
    MAX,
    BY_KIND,
    COLUMNS,
    DTYPE,
    *LESS,
]


def run(request: Request) -> None:
    show_costs(request, "params", beside="active" if request.extra["active"] else None)
