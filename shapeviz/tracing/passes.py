"""The ways in which a module is run, one after the other until one is not refused, as a list that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from torch import nn

from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.questions import Answers
from shapeviz.tracing.symbolic_sizes import LONG, SMALL, USUAL, Symbols
from shapeviz.tracing.trace_request import TraceRequest

TRACED_AS = "is traced as the number"
IN_EVALUATION = "traced in evaluation mode: in training mode its forward depends on data"


@dataclass(frozen=True)
class Pass:
    """One way to run a module.

    usual: the sizes assumed where the user gave none. evaluating: in evaluation mode, whatever mode it is in.
    as_numbers: the sizes that the user gave are plain integers, no symbols. assuming: branches on data are assumed.
    note: what the user is told if it answers.
    """

    usual: tuple[int, ...] = USUAL
    evaluating: bool = False
    as_numbers: bool = False
    assuming: bool = False
    note: str = ""

    @property
    def may_be_shorter(self) -> bool:
        """True where a recursion over a dimension may end that was too deep in the first pass."""
        return self.as_numbers or (self.usual == SMALL and not self.evaluating)


@dataclass(frozen=True)
class Number:
    """A dimension that had to be traced as a number, and why."""

    size: int
    reason: str

    def told(self, name: str) -> str:
        """How the note begins that says so; the reason follows."""
        return f"{name} {TRACED_AS} {self.size}: "


@dataclass(frozen=True)
class Setting:
    """A request, the pass that it is run by, and the dimensions that are numbers in it: all that decides a run.

    exact: branches are decided at the user's sizes themselves, also where two are equal or one is a number of the
    module's own. deadline: the CPU time at which patience ends. answers: to questions of data, if they are assumed; a
    run writes into it what it was asked. assumed: what the user is told of them.
    """

    request: TraceRequest
    by: Pass = Pass()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    exact: bool = False
    deadline: float = inf
    answers: Answers | None = None
    assumed: tuple[str, ...] = ()

    @property
    def variables(self) -> list[str]:
        """The dimensions of the inputs that stay letters, in the order in which they appear."""
        return [name for name in self.request.dimensions if name not in self.fixed]

    @property
    def sized(self) -> list[str]:
        """The dimensions of inputs to which the user gave a size."""
        return [name for name in self.variables if name in self.request.sizes and name not in self.request.letters]

    @property
    def fixed(self) -> dict[str, int]:
        """The letters and dimensions that had to become numbers."""
        return {name: number.size for name, number in self.numbers.items()}

    @property
    def reasons(self) -> dict[str, str]:
        """Why each of these is a number."""
        return {name: number.reason for name, number in self.numbers.items()}

    @property
    def notes(self) -> list[str]:
        """What the user should know of how the trace came about."""
        notes = [*self.request.notes, *self.assumed]
        if self.by.note:
            notes.append(self.by.note)
        for name, number in self.numbers.items():
            notes.append(number.told(name) + number.reason)
        return notes

    def symbols(self) -> Symbols:
        """New symbols for the variables.

        None is tried at a number of the module's own: two sizes that happen to be equal would be taken for one.
        """
        shapes = [weight.shape for weight in self.request.module.parameters()]
        taken = {size for shape in shapes for size in shape if isinstance(size, int)}
        hints = self.request.blueprint.hints if self.request.blueprint else {}
        symbols = Symbols(self.variables, self.request.known, taken, self.by.usual, self.fixed, self.exact, hints)
        symbols.env.answers = self.answers
        return symbols

    def built(self) -> tuple[Symbols, nn.Module]:
        """New symbols and a module that is not run: of a class, one that is built with them."""
        request, symbols = self.request, self.symbols()
        if request.blueprint is None:
            return symbols, request.module
        return symbols, request.blueprint.built(symbols)

    def new_run(self) -> FakeRun:
        """A run from new symbols."""
        return FakeRun(self.request, self.symbols(), self.deadline)


def passes(setting: Setting) -> list[Pass]:
    """The passes that are tried for a request, in order.

    1. The module as it stands, at usual sizes: nearly every module answers that.
    2. At small and at long ones: there may be a table of 64 positions, or a sound may need a least length.
    3. The same in evaluation mode: in training mode some modules drop layers by lot, which depends on data.
    4. The user's own sizes as plain integers: some code wants these and no symbols.
    5. What depends on data all the same, with its branches assumed.
    """
    request = setting.request
    assumed = len(setting.sized) < len(set(setting.variables) - {*request.letters})
    scales = (USUAL, SMALL, LONG) if assumed else (USUAL,)
    tried = [Pass(usual) for usual in scales]
    if request.module.training and not request.saves:
        tried += [Pass(usual, evaluating=True, note=IN_EVALUATION) for usual in scales]
    if setting.sized:
        tried.append(Pass(as_numbers=True))
    tried += [Pass(usual, assuming=True) for usual in scales]
    if setting.sized:
        tried.append(Pass(as_numbers=True, assuming=True))
    return tried
