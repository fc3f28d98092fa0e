"""The object that JSON holds of a report, schema `shapeviz/1`, and the sheets of CSV.

Formulas are Python text that SymPy parses, values exact integers.
A cell is the cost of one instance without what cannot be counted; `not_counted` has that, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TypeAlias

from shapeviz.expr import Expr
from shapeviz.layer_order import LayerOrder
from shapeviz.quantity import Quantity
from shapeviz.quotient import Quotient
from shapeviz.report import Check, Report, Row
from shapeviz.sizes import Condition
from shapeviz.wording import numeric, symbolic

Written: TypeAlias = Callable[[Quantity], dict[str, object]]


def as_object(report: Report) -> dict[str, object]:
    """The report as plain dictionaries and lists."""
    cell = _cells()
    data: dict[str, object] = {
        "schema": "shapeviz/1",
        "model": {"name": report.name, "title": report.title, "source": report.source},
        "dtype": report.dtype,
        "conventions": {name: column.convention for name, column in report.columns.items()},
        "columns": {name: {"title": column.title, "unit": column.unit} for name, column in report.columns.items()},
        "sizes": report.sizes.numbers,
        "derived": {name: rule.python for name, rule in report.sizes.rules.items()} | dict(report.sizes.aliases),
        "conditions": [_condition(condition) for condition in report.sizes.conditions],
        "fixed": {**report.sizes.fixed, **report.sizes.pinned},
        "legend": dict(report.legend),
        "long_names": dict(report.sizes.long_names),
        "total": {name: cell(total) for name, total in report.total.items()},
        "not_counted": _uncounted(report, report.not_counted),
        "kinds": {
            kind: {name: cell(column.kinds[kind]) for name, column in report.columns.items() if kind in column.kinds}
            for kind in dict.fromkeys(kind for column in report.columns.values() for kind in column.kinds)
        },
        "rows": [_row(report, row, cell) for row in report.rows],
    }
    if report.checks:
        data["checks"] = [check_object(check) for check in report.checks]
    return data


def _condition(condition: Condition) -> dict[str, object]:
    """What must hold of the sizes; its sides are formulas, or null where our algebra has none for them."""
    known = condition.left is not None and condition.right is not None
    return {
        "text": condition.text,
        "left": condition.left.python if known and condition.left is not None else None,
        "sign": condition.sign,
        "right": condition.right.python if known and condition.right is not None else None,
        "where": condition.line,
    }


def check_object(check: Check) -> dict[str, object]:
    """One comparison: what was expected, what was found, by whom."""
    return {
        "path": check.path, "quantity": check.quantity,
        "expected": _value(check.expected), "found": _value(check.found),
        "by": check.by, "ok": check.ok, "note": check.note,
    }  # fmt: skip


def _value(value: object) -> object:
    """A number, text or shape as it is; a fraction as its text."""
    return value if value is None or isinstance(value, bool | int | str | list | tuple) else str(value)


def _row(report: Report, row: Row, cell: Written) -> dict[str, object]:
    rest = {name: cost.not_counted for name, cost in row.cells.items() if cost.not_counted.terms}
    return {
        "path": row.path,
        "block": row.block,
        "role": row.role,
        "title": row.title,
        "equation": row.equation,
        "source": row.citation,
        "depth": row.depth,
        "repeat": cell(row.repeat),
        "copies": cell(row.copies),
        "instances": {name: cell(cost.instances) for name, cost in row.cells.items()},
        "inputs": [{"source": w.source, "role": w.role, "dims": [d.python for d in w.dims]} for w in row.inputs],
        "output": {"dims": [size.python for size in row.dims], "value": list(row.shape)},
        **{name: cell(cost.each) for name, cost in row.cells.items()},
        **({"not_counted": _uncounted(report, rest)} if rest else {}),
        **({"tied": dict(row.tied)} if row.tied else {}),
        **({"order": _order(report, row.order, cell)} if row.order else {}),
    }


def _order(report: Report, order: LayerOrder, cell: Written) -> dict[str, object]:
    """The runs of a period, taken in turn until there are `depth` layers; the last period may be cut."""
    period = [{"name": name, "count": cell(Quantity(count, report.sizes))} for name, count in order.period]
    return {"period": period, "depth": cell(Quantity(order.depth, report.sizes))}


def _cells() -> Written:
    """A formula with its value, each written once: of the hundreds in a report most are one of a dozen."""
    written: dict[Expr | Quotient, dict[str, object]] = {}

    def cell(quantity: Quantity) -> dict[str, object]:
        if quantity.formula not in written:
            written[quantity.formula] = _cell(quantity)
        return written[quantity.formula]

    return cell


def _cell(quantity: Quantity) -> dict[str, object]:
    value = quantity.value
    if isinstance(value, Fraction):  # of a ratio: exact as text, and as people read it
        return {"formula": quantity.python, "value": str(value), "decimal": float(value)}
    return {"formula": quantity.python, "value": value}


def _uncounted(report: Report, rest: Mapping[str, Expr]) -> dict[str, object]:
    def why(cost: Expr) -> str:
        return "; ".join(text for name, text in report.reasons.items() if name in cost.names)

    return {name: {"amount": cost.python, "reason": why(cost)} for name, cost in rest.items()}


def report_sheet(report: Report) -> Iterator[list[object]]:
    """The rows with their costs for one instance, formulas and exact integers side by side; a spreadsheet filters."""
    costs = [f"{column}{part}" for column in report.columns for part in ("", "_formula", "_not_counted")]
    yield ["path", "block", "repeat", "copies", "shape", "sizes", *costs]
    for row in report.rows:
        cells: list[object] = []
        for cell in row.cells.values():
            cells += [cell.value, cell.each.python, cell.not_counted if cell.not_counted.terms else ""]
        yield [row.path, row.block, row.repeat.value, row.copies.value, symbolic(row.dims), numeric(row), *cells]


def check_sheet(report: Report) -> Iterator[list[object]]:
    """The checks of a report, one a line."""
    yield ["ok", "path", "quantity", "expected", "found", "by", "note"]
    for check in report.checks:
        yield [check.ok, check.path, check.quantity, check.expected, check.found, check.by, check.note]
