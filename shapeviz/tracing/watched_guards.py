"""Torch's symbolic sizes, with every question that a module asks about them written down beside its line of code.

Torch calls such an answer a guard: "S < 1024 was taken for true", "H is 32". It keeps far more guards than concern the
user, most of them from its own rules for shapes; here is decided which of them the formulas of a trace depend on.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from shapeviz.tracing.code_site import is_torchs, site
from shapeviz.tracing.questions import Answers
from shapeviz.tracing.torch_private import (
    GuardOnDataDependentSymNode,
    ShapeEnv,
    SymNode,
    SympyExpr,
    ValueRanges,
    bound_sympy,
    int_oo,
)

# Files through which torch evaluates a condition: whoever asked stands further out.
MACHINERY = (
    "/torch/fx/experimental/",
    "/torch/__init__.py",
    "/torch/utils/_stats.py",
    "/torch/fx/traceback.py",
    __file__,
)
# Functions of torch, and stand-ins of ours, whose decisions change a shape or refuse it; and those of which only an
# equality that held does, since it says that a view divides evenly.
DECISIVE = {"_compute_slice_index", "_verify_batch_size", "_verify_spatial_size", "_ask_for_ones"}
DIVIDING = {"infer_size", "_reshape_view_helper", "_reshape_view_helper_core_alg"}
EQUAL = {("Equality", True), ("Unequality", False)}
TRUTHS = ("bool", "BooleanTrue", "BooleanFalse")
Answer = bool | int | float
MANY = 5  # what a size that data decide is taken for where torch itself asks: neither none nor one


class WatchedEnv(ShapeEnv):
    """Torch's symbols and guards. `decided` has the answers that the trace depends on, each with its line of code.

    `answers` are those to questions of data, None where these are refused.
    """

    def __init__(self) -> None:
        # duck_shape: two dimensions that happen to be equally long would become one symbol
        super().__init__(duck_shape=False)
        self.decided: dict[tuple[SympyExpr, Answer], str] = {}
        self._guarded: set[SympyExpr] = set()
        self.names: dict[str, str] = {}  # the user's, of torch's symbols
        self.answers: Answers | None = None
        self.shares: dict[SympyExpr, SympyExpr] = {}  # of symbols that stand for an equal part of a size, that part

    def evaluate_sym_node(self, sym_node: SymNode, *args: Any, **kwargs: Any) -> Any:
        """The value of a condition or size, which from now on is relied upon."""
        guards = len(self.guards)
        form: SympyExpr = sym_node.expr
        if self.shares and sym_node.pytype is bool and not form.free_symbols.isdisjoint(self.shares):
            parts = form.xreplace(self.shares)
            if type(parts).__name__ in TRUTHS:
                return bool(parts)
        try:
            value = super().evaluate_sym_node(sym_node, *args, **kwargs)
        except GuardOnDataDependentSymNode:
            if self.answers is None or sym_node.pytype is not bool:
                raise
            return self.assumed(form, self.answers)
        answer: Answer = value
        if type(value).__name__ in TRUTHS:
            answer = bool(value)
        elif form.is_integer:
            answer = int(value)
        if len(self.guards) > guards:
            self._guarded.add(form)
        is_new = (form, answer) not in self.decided and _matters(form, answer)
        if is_new and (form in self._guarded or not _always(form, answer)):
            self.decided[form, answer] = site()
        return value

    def assumed(self, form: SympyExpr, answers: Answers) -> bool:
        """The answer to a question that only data could: of torch's own about a size, what is true of most sizes."""
        sizes: set[SympyExpr] = self.size_like
        data = form.free_symbols - self.backed_var_to_val.keys()
        usual = False
        if data <= sizes:
            numbers = {**self.backed_var_to_val, **{symbol: MANY + i for i, symbol in enumerate(sorted(data, key=str))}}
            usual = bool(form.xreplace(numbers))
            if is_torchs(_asking(2).f_code.co_filename):
                return usual
        return answers.answer(usual)


def _always(form: SympyExpr, answer: Answer) -> bool:
    """True for a comparison that no sizes could decide otherwise, sizes of one among them.

    Torch takes every size for at least 2, and so decides some without a guard.
    """
    positive = ValueRanges(1, int_oo)
    try:
        possible = bound_sympy(form, dict.fromkeys(form.free_symbols, positive))
    except (TypeError, ValueError, AssertionError, NotImplementedError):
        return False
    return bool(possible.is_singleton()) and bool(possible.lower) is answer


def _asking(depth: int) -> FrameType:
    """The innermost running code that is none of torch's machinery for conditions."""
    frame = sys._getframe(depth)
    while frame.f_back is not None and any(part in frame.f_code.co_filename for part in MACHINERY):
        frame = frame.f_back
    return frame


def _matters(form: SympyExpr, answer: Answer) -> bool:
    """True for a question of the module's own code, for a size taken as a number, and where a shape depends on it."""
    if not isinstance(answer, bool):
        return True
    frame = _asking(3)
    name = frame.f_code.co_name
    if not is_torchs(frame.f_code.co_filename):
        return True
    return name in DECISIVE or (name in DIVIDING and (type(form).__name__, answer) in EQUAL)
