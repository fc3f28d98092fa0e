"""Comma-separated values: a line a block or step, formulas and exact integers side by side."""

from __future__ import annotations

import csv
import io

from shapeviz.renderers import View
from shapeviz.renderers._text import numeric, symbolic
from shapeviz.report import Report


def render(report: Report, view: View) -> str:
    """The rows with their costs for one instance, or the checks of `verify`; a spreadsheet filters."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    if view.verb == "verify":
        table.writerow(["ok", "path", "quantity", "expected", "found", "by", "note"])
        for check in report.checks:
            values = (check.quantity, check.expected, check.found, check.by, check.note)
            table.writerow([check.ok, check.path, *values])
        return out.getvalue()
    costs = [f"{column}{part}" for column in report.columns for part in ("", "_formula", "_not_counted")]
    table.writerow(["path", "block", "repeat", "copies", "shape", "sizes", *costs])
    for row in report.rows:
        cells: list[object] = []
        for cell in row.cells.values():
            cells += [cell.value, cell.each.python, cell.not_counted if cell.not_counted.terms else ""]
        table.writerow(
            [row.path, row.block, row.repeat.value, row.copies.value, symbolic(row.dims), numeric(row), *cells]
        )
    return out.getvalue()
