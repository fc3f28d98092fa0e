"""Parameters: the formula of every block, its value and share, and the total."""

from __future__ import annotations

from inspect import Parameter

import typer

from shapeviz.cli._measured import BY_KIND, show
from shapeviz.cli._options import Request
from shapeviz.errors import CheckFailedError
from shapeviz.page import Page
from shapeviz.page.views import cost_page, kind_page
from shapeviz.quantity import counted
from shapeviz.report import Report

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
    BY_KIND,
]


def run(request: Request) -> None:
    asked = {"params": "max_params", "active": "max_active"}
    most = {column: counted(request.extra[flag], f"--{flag.replace('_', '-')}") for column, flag in asked.items()}
    more = ("active",) if request.extra["active"] or most["active"] is not None else ()
    report = show(request, lambda report: _page(report, request), more=more)
    for column, budget in most.items():
        if budget is not None and (found := report.total[column].value) > budget:
            what = f"{report.name} has {found:,} {report.columns[column].title}"
            raise CheckFailedError(f"{what}, {found - budget:,} over the budget of {budget:,}")


def _page(report: Report, request: Request) -> Page:
    active = request.extra["active"]
    if request.extra["by_kind"]:
        return kind_page(report, "params", *["active"] * active)
    return cost_page(report, "params", beside="active" if active else None)
