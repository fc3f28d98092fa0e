"""The pages of a report: the walk of shapes, a cost, a derivation, the memory, the checks, or the whole analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from shapeviz.errors import InputError
from shapeviz.page import Deferred, Header, Page, Part
from shapeviz.page.data import as_object, check_sheet, report_sheet
from shapeviz.page.explanation import explanation
from shapeviz.page.summary import biggest, down_to, summary
from shapeviz.page.tables import by_kind, checks, costs, kinds_side_by_side, memory, side_by_side, telling, walk
from shapeviz.report import Report
from shapeviz.wording import derived, legend, sizes, spoken

if TYPE_CHECKING:
    from shapeviz.figure import Figure


def trace_page(report: Report, *columns: str) -> Page:
    """The walk of shapes, step by step, with the values of some columns. Raises InputError for one not measured."""
    _check_measured(report, *columns)
    return _page(report, lambda: (walk(report, *columns),), ("trace", *columns))


def columns_page(report: Report, *columns: str, by_kind: bool = False) -> Page:
    """Any columns side by side, block by block or by kind of module; of a single one also share and formula.

    Raises InputError if a column was not measured.
    """
    if len(columns) == 1 and not by_kind:
        return cost_page(report, *columns)
    _check_measured(report, *columns)
    table = kinds_side_by_side if by_kind else side_by_side
    return _page(report, lambda: (table(report, columns),), columns, columns[0])


def cost_page(report: Report, *columns: str, beside: str | None = None) -> Page:
    """Costs block by block, the value of another column beside them if asked; drawn is the last of them.

    Raises InputError if a column was not measured.
    """
    _check_measured(report, *columns, *([beside] if beside else []))
    drawn = None if beside else columns[-1]
    return _page(report, lambda: [costs(report, column, beside) for column in columns], columns, drawn)


def kind_page(report: Report, *columns: str) -> Page:
    """Costs by kind of module. Raises InputError if a column was not measured."""
    _check_measured(report, *columns)
    return _page(report, lambda: [by_kind(report, column) for column in columns], columns, None)


def explain_page(report: Report, path: str = "") -> Page:
    """Formula, substitution and value of a block, or of the whole model. Raises InputError for an unknown path."""
    page = _page(report, lambda: explanation(report, path))
    if path and not report.row(path).step:  # the figure is that of the block, unless another one is named
        page = replace(page, figure=lambda name: _draw(report, path if name == "model" else name))
    return page


def memory_page(report: Report, *columns: str) -> Page:
    """What is saved for backward, or any columns, block by block, and what is held besides."""

    def parts() -> Iterable[Part]:
        yield side_by_side(report, columns) if columns else costs(report, "saved")
        yield memory(report, columns or ("saved",))

    return _page(report, parts)


def summary_page(report: Report, *columns: str) -> Page:
    """One screen: the totals, those of some columns first, and what is biggest in them."""
    _check_measured(report, *columns)
    names = tuple(dict.fromkeys((*columns, *telling(report))))
    shown = replace(report, rows=tuple(biggest(report, [name for name in names if report.columns[name].adds])))
    page = _page(report, lambda: summary(report, names), names)
    assert page.header is not None
    return replace(
        page,
        header=page.header._replace(derived=(), letters=()),
        data=partial(as_object, shown),
        sheet=partial(report_sheet, shown),
    )


def less(page: Callable[[Report], Page], report: Report, depth: int | None, summed: bool, *columns: str) -> Page:
    """A page of a report, of its rows down to a depth, or its summary; a figure is always whole."""
    if summed:
        return summary_page(report, *columns)
    if depth is None:
        return page(report)
    return replace(page(down_to(report, depth)), figure=page(report).figure)


def verify_page(report: Report) -> Page:
    """The checks of a report."""
    return _page(report, lambda: (checks(report),), sheet=check_sheet)


def report_page(report: Report, links: Mapping[str, str] | None = None, command: str = "", versions: str = "") -> Page:
    """The whole analysis; `links` are files that have its figures drawn, `command` and `versions` what made it."""

    def parts() -> Iterable[Part]:
        from shapeviz.page.document import document  # and with it all figures, which other pages do not need

        return document(report, links or {}, command, versions)

    return _page(report, parts)


def page_of(
    report: Report,
    verb: str = "all",
    path: str = "",
    active: bool = False,
    by_kind: bool = False,
    columns: Sequence[str] = (),
    depth: int | None = None,
    summary: bool = False,
) -> Page:
    """The page of a verb: trace, explain (of a path), memory, cache, verify, all, or of a measured column.

    `columns` are any that were measured, side by side; a verb that is neither shows all of them. `active` adds active
    parameters, `by_kind` shows kinds of module instead of blocks. `depth` is how many levels of the tree are shown,
    `summary` shows totals and biggest parts alone. Raises InputError for a column that was not measured.
    """
    if depth is not None or summary:
        names = columns or ((verb,) if verb in report.columns else ())
        return less(lambda shown: page_of(shown, verb, path, active, by_kind, columns), report, depth, summary, *names)
    makers: dict[str, Callable[[], Page]] = {
        "trace": lambda: trace_page(report, *columns),
        "explain": lambda: explain_page(report, path),
        "memory": lambda: memory_page(report, *columns),
        "verify": lambda: verify_page(report),
        "all": lambda: report_page(report),
    }
    if verb in makers:
        return makers[verb]()
    if columns or (verb != "cache" and verb not in report.columns):
        return columns_page(report, *(columns or report.columns), by_kind=by_kind)
    names = (*report.columns,) if verb == "cache" else (verb,)
    if by_kind:
        return kind_page(report, *names, *(["active"] if active else []))
    return cost_page(report, *names, beside="active" if active else None)


def _draw(report: Report, name: str, column: str = "params") -> Figure:
    from shapeviz.figure.drawing import draw  # most pages are never drawn

    return draw(report, name, column)


def _check_measured(report: Report, *columns: str) -> None:
    for column in columns:
        if column not in report.columns:
            what = {"active": "active parameters"}.get(column, column)
            raise InputError(f"no {what} were measured of {report.name}: measure(model, ['params', '{column}'])")


def _page(
    report: Report,
    parts: Callable[[], Iterable[Part]],
    columns: Iterable[str] | None = None,
    drawn: str | None = "",
    sheet: Callable[[Report], Iterable[list[object]]] = report_sheet,
) -> Page:
    """A page about one report, its header limited to the letters that some columns speak of.

    Its figure shows the costs of the column `drawn`, of the first one if that is empty; it has none for None.
    """
    names = None if columns is None else spoken(report, columns)
    numbers = report.sizes.numbers
    return Page(
        report.title,
        Deferred(parts),
        Header(
            report.source,
            (*sizes(report, names), *([f"dtype = {report.dtype}"] if report.dtype else [])),
            tuple(derived(report)),
            tuple(legend(report, names)),
            tuple((name, meaning, numbers.get(name)) for name, meaning in report.legend.items()),
        ),
        data=partial(as_object, report),
        sheet=partial(sheet, report),
        figure=None if drawn is None else partial(_draw, report, column=drawn),
    )
