"""A model read, measured and shown: the whole of most verbs; and what makes a report fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import Parameter

import typer

from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.errors import CheckFailedError, TraceError
from shapeviz.page import Page
from shapeviz.report import Check, Report, measure

BY_KIND = Parameter(
    "by_kind",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(False, "--by-kind", help="By kind of module: embedding, attention, feed-forward, norm, head."),
    annotation=bool,
)


def show(
    request: Request, page: Callable[[Report], Page], columns: Sequence[str] = (), more: Sequence[str] = ()
) -> Report:
    """Reads and measures a model and puts out a page of it. Gives the report.

    The columns are those named, or those of the model and more. A trace that could not be finished is shown as far as
    it came, then comes the TraceError. With --strict, what is not counted is a CheckFailedError at the end.
    """
    try:
        model = model_of(request)
    except TraceError as error:
        if request.verb == "trace" and error.model is not None:
            emit(page(measure(error.model)), request)
            sys.stdout.flush()
        raise
    report = measure(model, columns or dict.fromkeys((*model.columns, *more)))
    put(page(report), report, request)
    return report


def put(page: Page, report: Report, request: Request) -> None:
    """A page of a report; with --strict, what is not counted is a CheckFailedError at the end."""
    emit(page, request)
    if request.strict:
        check_counted(report)


def check_counted(report: Report) -> None:
    """Raises CheckFailedError if a column leaves something out, with the amount and the reason."""
    lines = []
    for column, amount in report.not_counted.items():
        reasons = [report.reasons[name] for name in sorted(amount.names) if name in report.reasons]
        lines.append(f"  {column}: {amount}" + (f": {'; '.join(reasons)}" if reasons else ""))
    if lines:
        raise CheckFailedError("\n".join(["not everything is counted:", *lines]))


def disagreement(check: Check) -> str:
    """A failed check in words."""
    return f"{check.path or 'the model'}: {check.quantity} {check.expected}, found {check.found}"
