"""The whole analysis as one page: totals, figures, walk, costs, derivations, checks, conventions, and what made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from shapeviz.figure.drawing import draw, own_figures
from shapeviz.page import Cell, Code, Part, Picture, Strong, Table, Text
from shapeviz.page.explanation import explanation
from shapeviz.page.tables import costs, grouped, telling, walk
from shapeviz.report import Check, Report, Row
from shapeviz.wording import exact, label, missing, summed

UNCHECKED = (
    "Not run: ",
    Code("shapeviz verify"),
    " compares every formula with PyTorch (",
    Code("pip install torch torchinfo fvcore"),
    ").",
)


def document(report: Report, links: Mapping[str, str], command: str, versions: str) -> tuple[Part, ...]:
    """The parts of the page; `links` are files that have the figures drawn, by their names."""
    return (
        _totals(report),
        *_notes(report),
        *(Picture(title, links.get(name, ""), draw(report, name)) for name, title in own_figures(report).items()),
        replace(walk(report), heading="The walk of shapes"),
        *(costs(report, column) for column in telling(report)),
        *_derivations(report),
        *_checks(report),
        _conventions(report),
        *_made(command, versions),
    )


def _totals(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in telling(report):
        column = report.columns[name]
        parts = Code(" + ".join(map(label, column.derivation)))
        rows.append((column.title, (parts, f" = {summed(column.derivation)}"), Strong(exact(column.total.value))))
    columns = ("", "formula of the parts", "value")
    return Table(columns, tuple(rows), right=frozenset({"value"}), heading="Totals", document=True)


def _notes(report: Report) -> Iterator[Text]:
    """What is not counted, by column."""
    notes = {column.title: missing(report, name) for name, column in report.columns.items()}
    if items := tuple(f"{title}: {text}" for title, text in notes.items() if text):
        yield Text(items=items, document=True)


def _derivations(report: Report) -> Iterator[Part]:
    """The same block at the same cost is derived once; the whole model comes last."""
    lines = ("Formula, substitution and value of one instance of every block.",)
    yield Text("Derivations", lines, document=True)
    seen: set[tuple[str, ...]] = set()
    for row in report.rows:
        key = (row.block, *(cell.each.python for cell in row.cells.values()))
        if _has_derivation(row) and key not in seen:
            seen.add(key)
            yield from _derivation(report, Code(row.path), row.path)
    yield from _derivation(report, "The whole model", "")


def _has_derivation(row: Row) -> bool:
    """True for blocks that cost something, and for the steps among them that own weights."""
    costly = any(cell.derivation for cell in row.cells.values())
    return costly and bool(row.weights or not row.step)


def _derivation(report: Report, heading: Cell, path: str) -> Iterator[Part]:
    tables = explanation(report, path)
    yield Text(heading, tables[0].above[1:], level=3, document=True)
    yield from (replace(table, above=(), minor=True, document=True) for table in tables if table.rows)


def _checks(report: Report) -> Iterator[Part]:
    if not report.checks:
        yield Text("Checks", (UNCHECKED,), document=True)
        return
    yield Text("Checks", (f"{sum(check.ok for check in report.checks)} of {len(report.checks)} hold.",), document=True)
    rows = tuple(map(_check, report.checks))
    columns = ("block", "quantity", "formula", "found", "by", "")
    yield Table(columns, rows, right=frozenset({"formula", "found"}), document=True)


def _check(check: Check) -> tuple[Cell, ...]:
    expected, actual = grouped(check.expected), grouped(check.found)
    return Code(check.path), check.quantity, expected, actual, check.by, _mark(check)


def _mark(check: Check) -> Cell:
    note = f" {check.note}" if check.note else ""
    if not check.ok:
        return (Strong("✗"), note)
    return ("explained" if check.expected != check.found else "✓") + note


def _conventions(report: Report) -> Text:
    items = tuple((Strong(name), f": {column.convention}") for name, column in report.columns.items())
    return Text("Conventions", items=items, document=True)


def _made(command: str, versions: str) -> Iterator[Text]:
    """The command that made the page, and the versions of what it was made with."""
    items: list[Cell] = []
    if command:
        items.append(("command: ", Code(command)))
    if versions:
        items.append(f"made with {versions}")
    if items:
        yield Text("How it was made", items=tuple(items), document=True)
