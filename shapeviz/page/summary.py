"""Less of a report: down to a depth, or on one screen, its totals and its biggest parts; every sum stays exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shapeviz.page import Cell, Code, Short, Table
from shapeviz.report import Report, Row
from shapeviz.wording import exact, missing, repeated, rounded, share

MOST = 6  # parts that are shown
SMALL = 100  # what is less than one in so many stands in the rest
BESIDE = "of all"  # heads the shares of the second column
COVERED = 10  # a part is taken apart if less than one in so many of it would be lost in the rest


def down_to(report: Report, depth: int) -> Report:
    """The report with the rows of so many levels; what is below them is in their costs already."""
    return replace(report, rows=tuple(row for row in report.rows if row.depth < depth))


def summary(report: Report, names: Sequence[str]) -> Iterator[Table]:
    """The totals of some columns, then the biggest parts of those that add up."""
    columns = [report.columns[name] for name in names]
    totals = [
        (c.title, exact(c.total.value), rounded(c.total.value, c.unit) if c.total.value > 9999 else "") for c in columns
    ]
    notes = tuple(f"{report.columns[name].title} {text}" for name in names if (text := missing(report, name)))
    yield Table(("total", "value", ""), tuple(totals), right=frozenset({"value"}), below=notes)
    adding = [name for name in names if report.columns[name].adds and report.total[name].value][:2]
    if rows := biggest(report, adding):
        yield _parts(report, adding, rows)


def biggest(report: Report, names: Sequence[str]) -> list[Row]:
    """The parts of a model that cost most, none within another one; the largest is taken apart first.

    What counts is the first of the columns. Whose large parts are single operations all, stays whole.
    """
    if not names:
        return []
    column = names[0]
    whole = report.total[column].value
    parts = _large(report, "", column)
    while True:
        for row in sorted(parts, key=lambda row: -row.cells[column].in_model):
            within = _large(report, row.path, column)
            lost = row.cells[column].in_model - sum(child.cells[column].in_model for child in within)
            if (
                not all(child.step for child in within)
                and lost * COVERED <= row.cells[column].in_model
                and len(parts) - 1 + len(within) <= MOST
            ):
                i = parts.index(row)
                parts[i : i + 1] = within
                break
        else:
            return [row for row in parts if row.cells[column].in_model * SMALL >= whole]


def _large(report: Report, path: str, column: str) -> list[Row]:
    """What stands in a block and is not small for the whole model."""
    whole = report.total[column].value
    rows = report.children(path)
    return [row for row in rows if row.cells[column].in_model * SMALL >= whole and row.cells[column].in_model > 0]


def _parts(report: Report, names: Sequence[str], rows: Sequence[Row]) -> Table:
    """Parts with their costs in the whole model, what remains below them, and the sum; of the first with a bar."""
    labels: list[Cell] = [Code(f"{row.path} {repeated(row.repeat, row.copies)}".rstrip()) for row in rows]
    headings, cells, short = ["part"], [], {}
    rest = False
    for number, name in enumerate(names):
        column, whole = report.columns[name], report.columns[name].total.value
        values = [row.cells[name].in_model for row in rows]
        values.append(whole - sum(values))
        rest = rest or values[-1] != 0
        shares = [share(value, whole) if number == 0 else share(value, whole, 0).rstrip() for value in values]
        headings += [column.title, BESIDE if number else "share"]
        cells += [tuple(map(exact, values)), tuple(shares)]
        short[column.title] = tuple(rounded(value, column.unit) for value in values)
    table = tuple(zip([*labels, "all the rest"], *cells, strict=True))
    titles = headings[1::2]
    return Table(
        tuple(headings),
        table if rest else table[:-1],
        right=frozenset(titles),
        heading="The biggest parts, in the whole model",
        narrow=(titles[0], *((title, BESIDE) for title in titles[1:])),
        short={title: Short(title, texts if rest else texts[:-1]) for title, texts in short.items()},
    )
