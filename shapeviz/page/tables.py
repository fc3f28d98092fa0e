"""The tables of a report: which rows and columns, and what stands in them; views.py makes pages of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shapeviz.page import Cell, Code, Equation, Formula, Shape, Short, Table, plain, worded
from shapeviz.quantity import Number
from shapeviz.report import Cell as Cost
from shapeviz.report import Check, Column, Report, Row
from shapeviz.wording import exact, label, missing, rounded, share, summed, times


def telling(report: Report) -> list[str]:
    """The columns that tell something: not those of which the model has none, nor active parameters that are all."""
    total, parts = report.total, report.not_counted
    # without experts every token meets all parameters: the column would repeat the one beside it
    same = {"active"} if total.get("active") == total.get("params") else set()
    return [name for name in report.columns if name not in same and (total[name].terms or name in parts)] or [
        *report.columns
    ]


def walk(report: Report, *names: str) -> Table:
    """Every step with its shape, symbolic and numeric, in the order in which the data takes them.

    Values of some columns may stand before what happens.
    """
    titles = tuple(report.columns[name].title for name in names)
    cells = [(_named(row), output(row), numeric(row), *_values(row, names), happens(row)) for row in report.rows]
    headings = ("step", "shape", "sizes", *titles, "what happens")
    below = tuple(_below(report, names) if names else _totals(report))
    return replace(
        _tree("Shapes", headings, report.rows, cells, right=frozenset(titles), below=below),
        under=frozenset({"what happens"}),
        narrow=("sizes", ("what happens", "sizes"), "sizes", *titles[:1], *titles[::-1]),
        short=_short(report, report.rows, names),
    )


def side_by_side(report: Report, names: Sequence[str]) -> Table:
    """Every block that has one of several costs, with the value of each; their totals below."""
    titles = tuple(report.columns[name].title for name in names)
    rows = [row for row in report.rows if any(row.cells[name].counts for name in names)]
    cells = [(_named(row), output(row), *_values(row, names)) for row in rows]
    below = tuple(_below(report, names))
    return replace(
        _tree(
            "Costs of one instance of every block", ("block", "output", *titles), rows, cells, frozenset(titles), below
        ),
        narrow=("output", *titles[:1], *titles[:0:-1]),
        short=_short(report, rows, names),
    )


def kinds_side_by_side(report: Report, names: Sequence[str]) -> Table:
    """Several costs of the whole model by kind of module."""
    columns = [report.columns[name] for name in names]
    kinds = dict.fromkeys(kind for column in columns for kind in column.kinds)
    titles = tuple(column.title for column in columns)
    rows: list[tuple[Cell, ...]] = []
    for kind in kinds:
        values = (exact(column.kinds[kind].value) if kind in column.kinds else "–" for column in columns)
        rows.append((Code(kind.replace("_", "-")), *values))
    short = {
        column.title: Short(
            column.title,
            tuple(rounded(column.kinds[kind].value, column.unit) if kind in column.kinds else "–" for kind in kinds),
        )
        for column in columns
    }
    return Table(
        ("kind", *titles),
        tuple(rows),
        right=frozenset(titles),
        heading="Costs by kind of module",
        below=tuple(_below(report, names)),
        narrow=titles,
        short=short,
    )


def _short(report: Report, rows: Iterable[Row], names: Sequence[str]) -> dict[str, Short]:
    """The values of some columns rounded, for where there is no room for their digits."""
    rows = tuple(rows)
    return {
        report.columns[name].title: Short(report.columns[name].title, tuple(_rounded(report, rows, name)))
        for name in names
    }


def _rounded(report: Report, rows: Iterable[Row], name: str) -> Iterator[str]:
    for row in rows:
        cell = row.cells[name]
        unit = report.columns[name].unit
        counted = rounded(cell.value, unit if unit == "B" else "")
        yield counted if cell.each.terms else "?" if cell.not_counted.terms else "–"


def _values(row: Row, names: Sequence[str]) -> Iterator[Cell]:
    """The values of a row; a dash for what has no cost."""
    for name in names:
        cell = row.cells[name]
        yield exact(cell.value) if cell.each.terms else "not counted" if cell.not_counted.terms else "–"


def _below(report: Report, names: Sequence[str]) -> Iterator[str]:
    """The totals of some columns, what they leave out, and their conventions."""
    yield from (_total(report.columns[name]) for name in names)
    for name in names:
        yield from filter(None, (missing(report, name), f"{name}: {report.columns[name].convention}"))


def _totals(report: Report) -> Iterator[str]:
    """The parameters and FLOPs of the whole model in one line, and what they leave out."""
    names = [name for name in ("params", "flops") if name in report.columns]
    if not names or any(row.role == "failed" for row in report.rows):
        return
    columns = [report.columns[name] for name in names]
    yield f"total: {'; '.join(f'{exact(c.total.value)} {c.title}{_short_form(c)}' for c in columns)}"
    for name in names:
        if left_out := missing(report, name):
            yield f"{report.columns[name].title} {left_out}"


def _short_form(column: Column) -> str:
    """`  (87.73 M)`, for a number that is long."""
    return f"  ({rounded(column.total.value, column.unit)})" if column.total.value > 9999 else ""


def happens(row: Row) -> Equation:
    """The equation of a row, and of a stack the order in which its unlike layers stand."""
    return Equation(f"{row.equation};  layers: {row.order}" if row.order else row.equation)


def by_kind(report: Report, name: str) -> Table:
    """A cost of the whole model by kind of module: embedding, attention, feed-forward, norm, head."""
    column = report.columns[name]
    whole, title = column.total.value, column.title
    rows = tuple(
        (Code(kind.replace("_", "-")), exact(q.value), share(q.value, whole), Formula(q))
        for kind, q in column.kinds.items()
    )
    sums = " + ".join(plain(row[1]) for row in rows)
    return Table(
        ("kind", title, "share of model", "formula"),
        rows,
        right=frozenset({title}),
        heading=f"{capital(title)} by kind of module",
        below=(f"{title}: {sums} = {exact(whole)}", f"{name}: {column.convention}"),
        under=frozenset({"formula"}),
        narrow=("share of model", "share of model"),
        short={"share of model": Short("share", tuple(_percent(q.value, whole) for q in column.kinds.values()))},
    )


def costs(report: Report, name: str, beside: str | None = None) -> Table:
    """Every block that has a cost, with its formula, value and share of the model; the total below.

    The value of a second column may stand `beside` the first.
    """
    rows = [row for row in report.rows if row.cells[name].counts]
    column = report.columns[name]
    whole, title = column.total.value, column.title
    part_of = whole if column.adds else 0  # only what adds up has shares
    cells: list[tuple[Cell, ...]] = [(_named(row), output(row), *_cost(row.cells[name], part_of)) for row in rows]
    titles, totals = [title], [_total(column)]
    if beside:
        cells = [(*c[:3], exact(row.cells[beside].value), *c[3:]) for c, row in zip(cells, rows, strict=True)]
        titles.append(report.columns[beside].title)
        totals.append(_active(report.columns[beside], whole))
    notes = filter(None, (missing(report, name), f"{name}: {column.convention}"))
    heading = f"{capital(title)} of one instance of every block, and the share of all its instances"
    headings = ("block", "output", *titles, "share of model", "formula of one")
    shares = tuple(_percent(row.cells[name].in_model, part_of) if row.cells[name].each.terms else "" for row in rows)
    return replace(
        _tree(heading, headings, rows, cells, frozenset(titles), (*totals, *notes)),
        under=frozenset({"formula of one"}),
        narrow=("share of model", "output", "share of model", title),
        short={"share of model": Short("share", shares), **_short(report, rows, [name, *([beside] if beside else [])])},
    )


def _percent(part: Number, whole: Number) -> str:
    """A share without its bar: ` 5.4 %`."""
    return share(part, whole, 0).strip().rjust(6)


def _cost(cell: Cost, whole: Number) -> tuple[Cell, Cell, Cell]:
    """Value, share of the whole and formula of a cell."""
    if not cell.each.terms:
        return Code("not counted"), "", Formula(cell.not_counted, factored=False)
    return exact(cell.value), share(cell.in_model, whole), Formula(cell.each)


def _total(column: Column) -> str:
    """`parameters: encoder + decoder = 26,795,520 + 60,936,192 = 87,731,712  (87.73 M)`"""
    whole, lines = column.total.value, column.derivation
    if not column.adds:
        return f"{column.title}: {exact(whole)} {column.unit}".rstrip()
    names = " + ".join(map(label, lines)) or "nothing"
    parts = f"{names} = {summed(lines)}" if len(lines) > 1 else names
    return f"{column.title}: {parts} = {exact(whole)}{_short_form(column)}"


def _active(column: Column, whole: Number) -> str:
    """The total of the column beside, and which part of the whole it is."""
    value = column.total.value
    return f"{column.title}: {exact(value)}  ({rounded(value, '')}, {share(value, whole, 0).strip()} of all)"


def memory(report: Report, explained: Sequence[str] = ("saved",)) -> Table:
    """What is held in memory, one line each: formula, bytes, and the same rounded.

    explained: columns whose conventions stand above it already.
    """
    rows: list[tuple[Cell, ...]] = []
    for column in report.columns.values():
        if column.not_counted.terms and not column.total.terms:
            rows.append((Code(column.title), "", "not counted", ""))
            continue
        value = column.total.value
        short = worded(rounded(value, column.unit))
        rows.append((Code(column.title), Formula(column.total), exact(value), short))
    below = tuple(f"{name}: {column.convention}" for name, column in report.columns.items() if name not in explained)
    bytes_alone = all(column.unit == "B" for column in report.columns.values())
    number, heading = ("bytes", "Memory") if bytes_alone else ("value", "Totals")
    headings = ("what", "formula", number, "")
    under = frozenset({"formula"})
    return Table(headings, tuple(rows), right=frozenset({number}), heading=heading, below=below, under=under)


def checks(report: Report) -> Table:
    """Every comparison, with what the formula says and what was found; an explained deviation says why."""
    rows = tuple(tuple(map(worded, _check(check))) for check in report.checks)
    return Table(
        ("", "block", "quantity", "expected", "found", "by", "note"),
        rows,
        right=frozenset({"expected", "found"}),
        heading="Checks",
        below=(f"{sum(check.ok for check in report.checks)} of {len(report.checks)} checks hold",),
        under=frozenset({"note"}),
        narrow=("by",),
    )


def _check(check: Check) -> tuple[str, ...]:
    mark = "✓" if check.ok else "✗"
    explained = " explained" if check.ok and check.expected != check.found else ""
    expected, actual = grouped(check.expected), grouped(check.found)
    return mark + explained, check.path or "model", check.quantity, expected, actual, check.by, check.note


def grouped(value: object) -> str:
    """An integer in groups of three digits, everything else as it is."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def output(row: Row) -> Code | Shape:
    """The symbolic shape of what a row gives; a dash for what gives nothing."""
    return Code("–") if row.silent else Shape(row.dims)


def numeric(row: Row) -> Code | Shape:
    """The same with numbers; a size that is not given stays a letter."""
    return Code("–") if row.silent else Shape(row.dims, row.shape)


def capital(title: str) -> str:
    """With its first letter a capital, all others as they are."""
    return f"{title[0].upper()}{title[1:]}"


def _named(row: Row) -> Code:
    mark = "✗ " if row.role == "failed" else ""
    return Code(f"{mark}{row.name} {times(row)}".rstrip())


def _tree(
    heading: str,
    columns: tuple[str, ...],
    rows: Iterable[Row],
    cells: Sequence[tuple[Cell, ...]],
    right: frozenset[str] = frozenset(),
    below: tuple[str, ...] = (),
) -> Table:
    rows = tuple(rows)
    depths = tuple(row.depth for row in rows)
    return Table(columns, tuple(cells), depths, tuple(not row.step for row in rows), right, heading, (), below)
