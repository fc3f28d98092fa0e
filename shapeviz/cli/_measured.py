"""A model read, measured and shown: the whole of most verbs; and what makes a report fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter

import typer

from shapeviz import analyses, budget
from shapeviz.cli import _complete
from shapeviz.cli._frame import say
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.errors import CheckFailedError, InputError, TraceError, nearest
from shapeviz.ir import Model
from shapeviz.page import Page
from shapeviz.page.views import columns_page, cost_page, kind_page, less
from shapeviz.quantity import counted
from shapeviz.report import Check, Report, measure
from shapeviz.wording import ASSUMED

BY_KIND = Parameter(
    "by_kind",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(False, "--by-kind", help="By kind of module: embedding, attention, feed-forward, norm, head."),
    annotation=bool,
)
COLUMNS = Parameter(
    "columns",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(
        None,
        "--columns",
        metavar="A,B,…",
        help="Any columns side by side: params, flops, bytes_moved, intensity, ….",
        autocompletion=_complete.columns,
    ),
    annotation=str | None,
)
DTYPE = Parameter(
    "dtype",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(
        None, "--dtype", metavar="DTYPE", help="Of weights, activations and cache: float32, bfloat16, float16, …."
    ),
    annotation=str | None,
)

MAX = Parameter(
    "max",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(
        None,
        "--max",
        metavar="COLUMN=N",
        help="A budget, flops=4T, cache=2GiB, memory=8GiB (of training): exit 1 beyond it. Repeatable.",
    ),
    annotation=list[str] | None,
)
LESS = [
    Parameter(
        "depth",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None, "--depth", min=0, metavar="N", help="So many levels of the tree; what is below is in their sums."
        ),
        annotation=int | None,
    ),
    Parameter(
        "summary",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(False, "--summary", help="One screen: sizes, totals and the biggest parts."),
        annotation=bool,
    ),
]


def chosen(request: Request) -> tuple[str, ...]:
    """The columns that --columns names, each once. Raises InputError for an unknown one, with the nearest name."""
    text = request.extra.get("columns")
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if text is not None and not names:
        raise InputError(f"--columns {text!r}: it names no column; {nearest('', analyses.names())}")
    for name in names:
        analyses.load(name)
    return names


def budgets(request: Request) -> dict[str, int]:
    """The budgets that flags set, --max-params and --max-active among them. Raises InputError for one set twice."""
    most = budget.budgets(request.extra.get("max") or (), "--max")
    for flag in ("max_params", "max_active"):
        number = counted(request.extra.get(flag), f"--{flag.replace('_', '-')}")
        if number is not None and (column := flag.removeprefix("max_")) in most:
            raise InputError(f"--max {column}=… and --{flag.replace('_', '-')} are the same: keep one")
        most |= {} if number is None else {column: number}
    return most


def check_budgets(report: Report, most: Mapping[str, int]) -> None:
    """Raises CheckFailedError for budgets that are exceeded; says what is not counted of those that are kept."""
    if beyond := budget.exceeded(report, most):
        raise CheckFailedError("\n".join(f"{report.name} has {excess}" for excess in beyond))
    for column in set(budget.columns(most)) & report.not_counted.keys():
        say(f"note: the budget is kept without what is not counted of {column}: {report.not_counted[column]}")


def show_costs(
    request: Request,
    *usual: str,
    more: Sequence[str] = (),
    beside: str | None = None,
    apart: tuple[str, str] = ("", ""),
) -> Report:
    """The costs that --columns names, or the usual ones of a verb, whose second may stand `beside` the first.

    Of two columns `apart` the first is shown where it is not the same as the second.
    """
    names, by_kind = chosen(request), request.extra["by_kind"]

    def page(report: Report) -> Page:
        if names:
            return columns_page(report, *names, by_kind=by_kind)
        shown = [name for name in usual if name != apart[0] or report.total[name] != report.total[apart[1]]]
        if by_kind:
            return kind_page(report, *shown, *([beside] if beside and beside in report.columns else []))
        return cost_page(report, *shown, beside=beside if beside in report.columns else None)

    return show(request, page, () if len(usual) == 1 else usual, more, first=names or usual, beside=beside)


def show(
    request: Request,
    page: Callable[[Report], Page],
    columns: Sequence[str] = (),
    more: Sequence[str] = (),
    first: Sequence[str] = (),
    beside: str | None = None,
) -> Report:
    """Reads and measures a model and puts out a page of it. Gives the report.

    The columns are those of --columns, else those named, else those of the model, and more, and the one `beside` if it
    is known of it, else a note says why it is not; `first` are those that a summary begins with.
    A trace that could not be finished is shown as far as it came, then comes the TraceError. With --strict, what is not
    counted is a CheckFailedError at the end, and so is a budget that is exceeded.
    """
    most = budgets(request)
    needed = budget.columns(most)
    request = replace(request, torch=replace(request.torch, saved=request.torch.saved or "saved" in needed))
    try:
        model = model_of(request)
    except TraceError as error:
        if request.verb == "trace" and error.model is not None:
            emit(page(measure(error.model, chosen(request) or None)), request)
            sys.stdout.flush()
        raise
    if beside and beside not in more:
        if why := unknown(beside, model):
            say(f"note: {why}")
        else:
            more = (*more, beside)
    measured = dict.fromkeys((*(chosen(request) or columns or model.columns), *more, *needed))
    report = measure(model, measured)
    put(shortened(page, report, request, *(first or chosen(request))), report, request)
    check_budgets(report, most)
    return report


def unknown(column: str, model: Model) -> str:
    """Why a column is not known of a model; empty if it is."""
    parts = analyses.parts(column)
    why = next((part.knows.otherwise for part in parts if not part.knows.of(model)), "")
    return f"{analyses.load(column).title} of {model.name}: not counted: {why}" if why else ""


def shortened(page: Callable[[Report], Page], report: Report, request: Request, *columns: str) -> Page:
    """A page of a report, no more of it than --depth and --summary ask for."""
    return less(page, report, request.extra.get("depth"), bool(request.extra.get("summary")), *columns)


def put(page: Page, report: Report, request: Request) -> None:
    """A page of a report; with --strict, what is not counted is a CheckFailedError at the end."""
    emit(page, request)
    if request.strict:
        check_counted(report)


def check_counted(report: Report) -> None:
    """Raises CheckFailedError if a column leaves something out, with the amount and the reason, or data are assumed."""
    lines = []
    for column, amount in report.not_counted.items():
        reasons = [report.reasons[name] for name in sorted(amount.names) if name in report.reasons]
        lines.append(f"  {column}: {amount}" + (f": {'; '.join(reasons)}" if reasons else ""))
    lines += [f"  {note}" for note in report.notes if note.startswith(ASSUMED)]
    if lines:
        raise CheckFailedError("\n".join(["not everything is counted:", *lines]))


def disagreement(check: Check) -> str:
    """A failed check in words."""
    return f"{check.path or 'the model'}: {check.quantity} {check.expected}, found {check.found}"
