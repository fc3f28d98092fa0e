"""Of two models of one module the more general, if both say the same at the sizes that were asked for."""

from __future__ import annotations

from dataclasses import replace

from shapeviz.errors import SizeError
from shapeviz.ir import Model
from shapeviz.report import measure
from shapeviz.tracing.branch_conditions import broken


def whichever(general: Model, special: Model) -> Model:
    """The general one if it agrees with the special one at their own sizes, wherever its branches would go there."""
    try:
        if _printed(general) != _printed(special):
            return special
    except SizeError:  # a formula that divides by zero there
        return special
    gone = tuple(f"holds for {condition.text} " for condition in broken(general.sizes.conditions, general.sizes.values))
    return replace(general, notes=tuple(note for note in general.notes if not note.startswith(gone)))


def _printed(model: Model) -> list[object]:
    """Every number that a report of a model shows at its own sizes."""
    report = measure(model, ["params", "flops", *["saved"] * model.saves])
    rows = [(row.path, row.shape, [cell.in_model for cell in row.cells.values()]) for row in report.rows]
    return [int(total.value) for total in report.total.values()] + [*report.not_counted.values(), *rows]
