"""Parameters: the formula of every block, its value and share, and the total."""

from __future__ import annotations

from inspect import Parameter

import typer

from shapeviz.cli._options import Request
from shapeviz.cli._output import BY_KIND, show
from shapeviz.errors import CheckFailedError
from shapeviz.quantity import counted

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
        default=typer.Option(None, "--max-params", metavar="N", help="A budget, 8B or 8000000: exit 1 beyond it."),
        annotation=str | None,
    ),
    BY_KIND,
]


def run(request: Request) -> None:
    most = counted(request.extra["max_params"], "--max-params")
    more = ("active",) if request.extra["active"] else ()
    report = show(request, more=more, active=request.extra["active"], by_kind=request.extra["by_kind"])
    found = report.total["params"].value
    if most is not None and found > most:
        raise CheckFailedError(f"{report.name} has {found:,} parameters: {found - most:,} more than {most:,}")
