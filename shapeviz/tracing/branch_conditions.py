"""What a trace holds for: the branches that sizes decided, and the dimensions that a module takes for plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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


# What transformers asks of a configuration and decides nothing by: whether token ids lie within the vocabulary.
CHECKED_BY = ("transformers/configuration_utils.py", "transformers/utils/type_validators.py")


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
        if line.startswith(CHECKED_BY) or (type(form).__name__ not in SIGNS and form.is_positive and answer is True):
            continue
        condition = _condition(symbols, form, answer, line)
        if condition.left is None or condition.left != condition.right:
            by_text[condition.text] = condition
    return tuple(by_text.values())


def _condition(symbols: Symbols, form: SympyExpr, answer: Answer, line: str) -> Condition:
    """One answer as a condition; what our algebra has no form for is decided by torch's own."""
    kind = type(form).__name__
    if not isinstance(answer, bool):
        left, sign, right = symbols.form(form), "=", Expr.of(answer) if isinstance(answer, int) else None
        text = f"{symbols.written(form)} = {answer}"
    elif kind in SIGNS:
        sign = SIGNS[kind][not answer]
        left, right = map(symbols.form, form.args)
        text = f"{symbols.written(form.args[0])} {sign} {symbols.written(form.args[1])}"
    else:
        left, sign, right = None, "", None
        text = ("" if answer else "not ") + symbols.written(form)
    if left is not None and right is not None:
        return Condition(text, left, sign, right, line)
    letters = frozenset(symbols.names_of(form))
    return Condition(text, None, sign, None, line, letters=letters, decides=_decision(symbols, form, answer))


def _decision(symbols: Symbols, form: SympyExpr, answer: Answer) -> Callable[[Mapping[str, int]], bool]:
    """Whether sizes give the same answer; one that cannot be found is another."""

    def decides(sizes: Mapping[str, int]) -> bool:
        try:
            return symbols.value(form, sizes) == answer
        except Exception:  # whatever SymPy and Python raise in a condition of any kind
            return False

    return decides


def broken(conditions: Iterable[Condition], sizes: Mapping[str, int]) -> list[Condition]:
    """The conditions that these sizes do not meet."""
    return [condition for condition in conditions if not condition.holds(sizes)]
