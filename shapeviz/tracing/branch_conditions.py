"""What a trace holds for: the branches that sizes decided, and the dimensions that a module takes for plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import SympyExpr
from shapeviz.tracing.watched_guards import Answer

# The signs of torch's comparisons, where they were true and where they were false.
SIGNS = {
    "StrictLessThan": ("<", "≥"), "LessThan": ("≤", ">"), "StrictGreaterThan": (">", "≤"), "GreaterThan": ("≥", "<"),
    "Unequality": ("≠", "="), "Equality": ("=", "≠"),
}  # fmt: skip


def lines_of_settled(symbols: Symbols) -> dict[str, str]:
    """The dimensions that the module takes for a number, each with the line of code that decided it (or "")."""
    lines = {}
    for name in symbols.settled():
        deciding = (line for (form, _), line in symbols.env.decided.items() if name in symbols.names_of(form))
        lines[name] = next(deciding, "")
    return lines


def conditions(symbols: Symbols) -> tuple[Condition, ...]:
    """What must hold of the sizes for the formulas of the trace to be theirs, each condition once."""
    by_text = {}
    for (form, answer), line in symbols.env.decided.items():
        names = symbols.names_of(form)
        # A dimension that became a number, or a size that the data decides, is reported in another place.
        if not names or not names <= symbols.hints.keys() or names & symbols.settled().keys():
            continue
        condition = _condition(symbols, form, answer, line)
        if condition.left is None or condition.left != condition.right:
            by_text[condition.text] = condition
    return tuple(by_text.values())


def _condition(symbols: Symbols, form: SympyExpr, answer: Answer, line: str) -> Condition:
    """One answer as a condition; without sides (`left` is None) where our algebra has no form for it."""
    kind = type(form).__name__
    if isinstance(answer, int) and not isinstance(answer, bool):
        return Condition(f"{symbols.written(form)} = {answer}", symbols.form(form), "=", Expr.of(answer), line)
    if kind not in SIGNS:
        return Condition(("" if answer else "not ") + symbols.written(form), None, "", None, line)
    left, right = form.args
    sign = SIGNS[kind][not answer]
    text = f"{symbols.written(left)} {sign} {symbols.written(right)}"
    return Condition(text, symbols.form(left), sign, symbols.form(right), line)


def broken(conditions: Iterable[Condition], sizes: Mapping[str, int]) -> list[Condition]:
    """The conditions that these sizes do not meet."""
    return [condition for condition in conditions if not condition.holds(sizes)]
