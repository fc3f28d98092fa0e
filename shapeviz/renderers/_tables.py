"""The tables behind the views: which rows and columns, as plain text cells, for every renderer of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shapeviz.errors import InputError, nearest
from shapeviz.expr import notation
from shapeviz.renderers import View
from shapeviz.renderers._text import label, missing, numeric, output, rounded, share, summed, symbolic, times
from shapeviz.report import Cell, Line, Report, Row


@dataclass(frozen=True)
class Table:
    """Cells in columns; the first column's entries stand at a depth of the tree. Right-aligned columns are named."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    depths: tuple[int, ...]
    blocks: tuple[bool, ...]
    right: frozenset[str] = frozenset()
    heading: str = ""
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = field(default=())


def tables(report: Report, view: View) -> list[Table]:
    """The tables of a view, in order. Raises InputError for an unknown path."""
    match view.verb:
        case "trace":
            return [walk(report)]
        case "explain":
            return explanation(report, view.path)
        case "verify":
            return [checks(report)]
        case "memory":
            return [costs(report, "saved"), memory(report)]
        case "cache":
            return [by_kind(report, c) if view.by_kind else costs(report, c) for c in report.columns]
        case "all":
            return [walk(report), *(costs(report, column) for column in telling(report))]
    if view.verb not in report.columns:
        known = ["trace", "explain", "verify", "memory", "cache", "all", *report.columns]
        raise InputError(f"unknown view {view.verb!r}; {nearest(view.verb, known)}")
    if view.by_kind:
        return [by_kind(report, name) for name in (view.verb, *(["active"] if view.active else []))]
    return [costs(report, view.verb, "active" if view.active else None)]


def telling(report: Report) -> list[str]:
    """The columns that tell something: not those of which the model has none, nor active parameters that are all."""
    total, parts = report.total, report.not_counted
    same = {"active"} if total.get("active") == total.get("params") else set()
    return [name for name in report.columns if name not in same and (total[name].terms or name in parts)] or [
        *report.columns
    ]


def walk(report: Report) -> Table:
    """Every step with its shape, symbolic and numeric, in the order in which the data takes them."""
    cells = [(_named(row), output(row), numeric(row), happens(row)) for row in report.rows]
    return _tree("Shapes", ("step", "shape", "sizes", "what happens"), report.rows, cells)


def happens(row: Row) -> str:
    """The equation of a row, and of a stack the order in which its unlike layers stand."""
    return f"{row.equation};  layers: {row.order}" if row.order else row.equation


def by_kind(report: Report, column: str) -> Table:
    """A cost of the whole model by kind of module: embedding, attention, feed-forward, norm, head."""
    whole, title = report.total[column].value, report.columns[column].title
    cells = tuple(
        (kind.replace("_", "-"), f"{q.value:,}", share(q.value, whole), q.written(notation.TEXT, factored=True))
        for kind, q in report.columns[column].kinds.items()
    )
    sums = " + ".join(cell[1] for cell in cells)
    below = (f"{title}: {sums} = {whole:,}", f"{column}: {report.columns[column].convention}")
    heading = f"{title[0].upper()}{title[1:]} by kind of module"
    flat = (0,) * len(cells)
    columns = ("kind", title, "share of model", "formula")
    return Table(columns, cells, flat, (False,) * len(cells), frozenset({title}), heading, (), below)


def costs(report: Report, column: str, beside: str | None = None) -> Table:
    """Every block that has a cost, with its formula, value and share of the model; the total below.

    The value of a second column may stand `beside` the first.
    """
    rows = [row for row in report.rows if row.cells[column].counts]
    shown = report.columns[column]
    whole, title = shown.total.value, shown.title
    cells: list[tuple[str, ...]] = [(_named(row), output(row), *_cost(row.cells[column], whole)) for row in rows]
    more = (report.columns[beside].title,) if beside else ()
    if beside:
        cells = [(*c[:3], f"{row.cells[beside].value:,}", *c[3:]) for c, row in zip(cells, rows, strict=True)]
    total = f"{title}: {_total(shown.derivation)} = {whole:,}" + (
        f"  ({rounded(whole, shown.unit)})" if whole > 9999 else ""
    )
    notes = [text for text in (missing(report, column), f"{column}: {shown.convention}") if text]
    return _tree(
        f"{title[0].upper()}{title[1:]} of one instance of every block, and the share of all its instances",
        ("block", "output", title, *more, "share of model", "formula of one"),
        rows,
        cells,
        right=frozenset({title, *more}),
        below=(total, *([_active(report, beside, whole)] if beside else []), *notes),
    )


def _cost(cell: Cell, whole: int) -> tuple[str, str, str]:
    """Value, share of the whole and formula of a cell."""
    if not cell.each.terms:
        return "not counted", "", str(cell.not_counted)
    return f"{cell.value:,}", share(cell.in_model, whole), cell.each.written(notation.TEXT, factored=True)


def _active(report: Report, column: str, whole: int) -> str:
    """The total of the column beside, its formula, and which part of the whole it is."""
    cell = report.total[column]
    part = share(cell.value, whole, 0).strip()
    return f"{report.columns[column].title}: {cell.value:,}  ({rounded(cell.value, '')}, {part} of all)"


def memory(report: Report) -> Table:
    """What is held in memory, one line each: formula, bytes, and the same rounded."""
    cells = []
    for column in report.columns.values():
        value, formula = column.total.value, column.total.written(notation.TEXT, factored=True)
        cells.append((column.title, formula, f"{value:,}", rounded(value, column.unit)))
    below = tuple(f"{name}: {column.convention}" for name, column in report.columns.items() if name != "saved")
    flat = (0,) * len(cells)
    columns = ("what", "formula", "bytes", "")
    return Table(columns, tuple(cells), flat, (False,) * len(cells), frozenset({"bytes"}), "Memory", (), below)


def explanation(report: Report, path: str) -> list[Table]:
    """Formula, substitution and value of a block, line by line; of the whole model for an empty path."""
    row = report.row(path) if path else None
    intro = _introduction(row) if row else (f"{report.title}: the sum of its parts",)
    found: list[Table] = []
    for column in telling(report):
        title, cell = report.columns[column].title, row.cells[column] if row else None
        lines = (cell or report.columns[column]).derivation
        total = cell.each if cell else report.total[column]
        cells = [(label(line), line.formula, "= " + line.substitution, f"= {line.total.value:,}") for line in lines]
        whole = total.written(notation.TEXT, factored=True) if row else " + ".join(line.formula for line in lines)
        below = [f"{path or 'total'}: {whole}", f"  = {summed(lines)}"] if lines else [f"none: it costs no {title}"]
        below[-1] += f" = {total.value:,}" if len(lines) > 1 else ""
        if row and cell and lines and row.repeat.value != 1:
            count = cell.instances
            below.append(f"in the whole model: {count} = {count.value} times, {cell.in_model:,}")
        if cell and cell.not_counted.terms:
            why = [text for name, text in report.reasons.items() if name in cell.not_counted.names]
            below.append(f"not counted: {cell.not_counted} ({'; '.join(why)})")
        if row and column == "params":
            below += [f"{weight}: the same weight as in {owner}, counted there" for weight, owner in row.tied.items()]
        heading = f"{title[0].upper()}{title[1:]}"
        columns = ("part", "formula", "substitution", "value")
        flat = (0,) * len(cells)
        above = intro if not found else ()
        found.append(
            Table(columns, tuple(cells), flat, (False,) * len(cells), frozenset(), heading, above, tuple(below))
        )
    return found


def checks(report: Report) -> Table:
    """Every comparison, with what the formula says and what was found; an explained deviation says why."""
    marks = {True: "✓", False: "✗"}
    cells = [
        (
            marks[check.ok] + ("" if check.expected == check.found or not check.ok else " explained"),
            check.path or "model",
            check.quantity,
            _plain(check.expected),
            _plain(check.found),
            check.by,
            check.note,
        )
        for check in report.checks
    ]
    held = sum(check.ok for check in report.checks)
    below = (f"{held} of {len(report.checks)} checks hold",)
    columns = ("", "block", "quantity", "expected", "found", "by", "note")
    flat = (0,) * len(cells)
    right = frozenset({"expected", "found"})
    return Table(columns, tuple(cells), flat, (False,) * len(cells), right, "Checks", (), below)


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _introduction(row: Row) -> tuple[str, ...]:
    reads = ", ".join(dict.fromkeys(symbolic(wire.dims) for wire in row.inputs))
    cited = f"   ({row.citation})" if row.citation else ""
    weights = " · ".join(f"{name} {symbolic(dims)}" for name, dims in row.weights.items())
    return tuple(
        line
        for line in (
            f"{row.path}: {row.title}" + (f", {row.caption}" if row.caption else ""),
            f"layers: {row.order}" if row.order else "",
            f"{row.equation}{cited}",
            f"shapes: {reads or '–'} → {output(row)} = {numeric(row)}",
            f"weights: {weights}" if weights else "",
        )
        if line
    )


def _total(lines: Iterable[Line]) -> str:
    lines = tuple(lines)
    names = " + ".join(label(line) for line in lines) or "nothing"
    return f"{names} = {summed(lines)}" if len(lines) > 1 else names


def _named(row: Row) -> str:
    mark = "✗ " if row.role == "failed" else ""
    return f"{mark}{row.name} {times(row)}".rstrip()


def _tree(
    heading: str,
    columns: tuple[str, ...],
    rows: Iterable[Row],
    cells: Sequence[tuple[str, ...]],
    right: frozenset[str] = frozenset(),
    below: tuple[str, ...] = (),
) -> Table:
    rows = tuple(rows)
    depths = tuple(row.depth for row in rows)
    return Table(columns, tuple(cells), depths, tuple(not row.step for row in rows), right, heading, (), below)


def branches(depths: tuple[int, ...]) -> list[str]:
    """The lines of a tree before each entry: `│  └─ `.

    >>> branches((0, 1, 1, 0))
    ['', '├─ ', '└─ ', '']
    """
    found = []
    for i, depth in enumerate(depths):
        marks = []
        for level in range(1, depth + 1):
            later = next((d for d in depths[i + 1 :] if d <= level), 0)
            more = later == level
            marks.append(("├─ " if more else "└─ ") if level == depth else ("│  " if more else "   "))
        found.append("".join(marks))
    return found
