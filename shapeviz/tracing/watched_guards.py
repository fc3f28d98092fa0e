"""Torch's symbolic sizes, with every question that a module asks about them written down beside its line of code.

Torch calls such an answer a guard: "S < 1024 was taken for true", "H is 32". It keeps far more guards than concern the
user, most of them from its own rules for shapes; here is decided which of them the formulas of a trace depend on.
"""

from __future__ import annotations

import sys
from typing import Any

from shapeviz.tracing.code_site import is_torchs, site
from shapeviz.tracing.torch_private import ShapeEnv, SymNode, SympyExpr

# Files through which torch evaluates a condition: whoever asked stands further out.
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
COMPARISONS = ("StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "Unequality", "Equality")
Answer = bool | int | float


class WatchedEnv(ShapeEnv):
    """Torch's symbols and guards. `decided` has the answers that the trace depends on, each with its line of code."""

    def __init__(self) -> None:
        # duck_shape: two dimensions that happen to be equally long would become one symbol
        super().__init__(duck_shape=False)
        self.decided: dict[tuple[SympyExpr, Answer], str] = {}
        self._guarded: set[SympyExpr] = set()

    def evaluate_sym_node(self, sym_node: SymNode, *args: Any, **kwargs: Any) -> Any:
        """The value of a condition or size, which from now on is relied upon."""
        guards = len(self.guards)
        form: SympyExpr = sym_node.expr
        value = super().evaluate_sym_node(sym_node, *args, **kwargs)
        answer: Answer = value
        if type(value).__name__ in TRUTHS:
            answer = bool(value)
        elif form.is_integer:
            answer = int(value)
        if len(self.guards) > guards:
            self._guarded.add(form)
        is_new = (form, answer) not in self.decided and _matters(form, answer)
        if is_new and (form in self._guarded or _turns_at_one(form, answer)):
            self.decided[form, answer] = site()
        return value


def _turns_at_one(form: SympyExpr, answer: Answer) -> bool:
    """True for a comparison that torch took for decided, since it takes every size for at least 2."""
    if type(form).__name__ not in COMPARISONS:
        return False
    try:
        return any(bool(form.subs(symbol, 1)) is not answer for symbol in form.free_symbols)
    except (TypeError, ZeroDivisionError):  # no truth without the other sizes, or none at 1
        return False


def _matters(form: SympyExpr, answer: Answer) -> bool:
    """True for a question of the module's own code, for a size taken as a number, and where a shape depends on it."""
    if not isinstance(answer, bool):
        return True
    frame = sys._getframe(2)
    while frame.f_back is not None and any(part in frame.f_code.co_filename for part in MACHINERY):
        frame = frame.f_back
    name = frame.f_code.co_name
    if not is_torchs(frame.f_code.co_filename):
        return True
    # Of torch's own views it matters that a size divides evenly (an equality that held), and where a slice ends.
    return name in DECISIVE and (name == "_compute_slice_index" or (answer and type(form).__name__ == "Equality"))
