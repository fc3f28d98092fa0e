"""What a trace holds for: the branches that sizes decided, and the dimensions that a module takes for plain numbers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch.fx.experimental.symbolic_shapes import ShapeEnv

from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.tracing.places import is_torchs, site

if TYPE_CHECKING:
    from shapeviz.tracing.symbols import Symbols

MACHINERY = (
    "/torch/fx/experimental/",
    "/torch/__init__.py",
    "/torch/utils/_stats.py",
    "/torch/fx/traceback.py",
    __file__,
)
# Functions of torch whose own decisions change a shape: slicing, and whether a view divides evenly.
DECISIVE = {"_compute_slice_index", "infer_size", "_reshape_view_helper"}
TRUTHS = ("bool", "BooleanTrue", "BooleanFalse")
SIGNS = {
    "StrictLessThan": ("<", "≥"), "LessThan": ("≤", ">"), "StrictGreaterThan": (">", "≤"), "GreaterThan": ("≥", "<"),
    "Unequality": ("≠", "="), "Equality": ("=", "≠"),
}  # fmt: skip


class WatchedEnv(ShapeEnv):
    """Torch's symbols and guards; what the module's own code asks, or what changes a shape, is kept with its line."""

    def __init__(self) -> None:
        super().__init__(duck_shape=False)
        self.decided: dict[tuple[Any, Any], str] = {}
        self._guarded: set[Any] = set()

    def evaluate_sym_node(self, sym_node: Any, *args: Any, **kwargs: Any) -> Any:
        """The value of a condition or size, which from now on is relied upon."""
        before = len(self.guards)
        form = sym_node.expr
        value = super().evaluate_sym_node(sym_node, *args, **kwargs)
        found = bool(value) if type(value).__name__ in TRUTHS else int(value) if form.is_integer else value
        if len(self.guards) > before:
            self._guarded.add(form)
        new = (form, found) not in self.decided and _matters(form, found)
        if new and (form in self._guarded or _turns_at_one(form, found)):
            self.decided[form, found] = site()
        return value


def _turns_at_one(form: Any, value: Any) -> bool:
    """True for a comparison that torch took for decided, since it takes every size for at least 2."""
    if type(form).__name__ not in SIGNS:
        return False
    try:
        return any(bool(form.subs(symbol, 1)) is not value for symbol in form.free_symbols)
    except (TypeError, ZeroDivisionError):  # no truth without the other sizes, or none at 1
        return False


def _matters(form: Any, value: Any) -> bool:
    """True for a question of the module's own code, for a size taken as a number, and where a shape depends on it."""
    if not isinstance(value, bool):
        return True
    frame = sys._getframe(2)
    while frame.f_back is not None and any(part in frame.f_code.co_filename for part in MACHINERY):
        frame = frame.f_back
    name = frame.f_code.co_name
    if not is_torchs(frame.f_code.co_filename):
        return True
    return name in DECISIVE and (name == "_compute_slice_index" or (value and type(form).__name__ == "Equality"))


def settled_at(symbols: Symbols) -> dict[str, str]:
    """The dimensions that are no variables for the module, each with the line at which that was decided."""
    found = {}
    for name in symbols.settled():
        lines = (line for (form, _), line in symbols.env.decided.items() if name in symbols.names_of(form))
        found[name] = next(lines, "")
    return found


def conditions(symbols: Symbols) -> tuple[Condition, ...]:
    """What must hold of the sizes for the trace to be theirs."""
    found = []
    for (form, value), line in symbols.env.decided.items():
        kind = type(form).__name__
        names = symbols.names_of(form)
        if not names or not names <= symbols.hints.keys() or names & symbols.settled().keys():
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            found.append(Condition(f"{symbols.written(form)} = {value}", symbols.form(form), "=", Expr.of(value), line))
        elif kind in SIGNS:
            sign = SIGNS[kind][not value]
            text = f"{symbols.written(form.args[0])} {sign} {symbols.written(form.args[1])}"
            found.append(Condition(text, symbols.form(form.args[0]), sign, symbols.form(form.args[1]), line))
        else:
            found.append(Condition(("" if value else "not ") + symbols.written(form), None, "", None, line))
    needed = (one for one in found if one.left is None or one.left != one.right)
    return tuple({one.text: one for one in needed}.values())


def broken(found: tuple[Condition, ...], sizes: Mapping[str, int]) -> list[Condition]:
    """The conditions that these sizes do not meet."""
    return [one for one in found if not one.holds(sizes)]
