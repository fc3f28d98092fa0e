"""From a module and its inputs to a Model: passes are tried until one answers, dimensions that are numbers settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from shapeviz.errors import DataDependentError, InputError, ShapevizError, TraceError
from shapeviz.expr import Expr
from shapeviz.ir import Condition, Model, Sizes
from shapeviz.report import measure
from shapeviz.tracing.branch_conditions import broken, conditions, lines_of_settled
from shapeviz.tracing.explain_failure import explained
from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.folding import UnlikeError
from shapeviz.tracing.passes import Number, Setting, passes
from shapeviz.tracing.structure import LETTER, WHY, structure
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.trace_request import TraceRequest
from shapeviz.tracing.traced_model import model_of

Answer = tuple[Setting, FakeRun]


def trace_module(request: TraceRequest, name: str, source: str) -> Model:
    """The model of a prepared request. Raises InputError, SizeError or TraceError."""
    if not request.runs:
        return _unrun(request, name, source)
    setting, run = _first_answer(Setting(request))
    settled = _settled(request, run.symbols)
    if settled:  # once more with these as numbers: the formulas of the first run may hold for no other sizes
        setting, run = _first_answer(replace(setting, numbers={**setting.numbers, **settled}))
    elif not setting.numbers:
        held = conditions(run.symbols)
        if unmet := broken(held, {**run.symbols.hints, **request.sizes}):
            return _at_other_branches(setting, run, unmet, name, source)
    return _model(setting, run, name, source)


def _unrun(request: TraceRequest, name: str, source: str) -> Model:
    """The model of a module that is not run: its parameters alone."""
    return Model(
        name=name, title=f"{name}, not run", source=source, root=structure(request.module), sizes=Sizes({}),
        missing={LETTER: WHY}, notes=("forward was not traced: --input describes its inputs",),
    )  # fmt: skip


def _model(setting: Setting, run: FakeRun, name: str, source: str) -> Model:
    return model_of(setting, run, name, source, partial(_again, setting.request))


def _again(request: TraceRequest, sizes: Mapping[str, int]) -> Model:
    """The same at other sizes, which decide the branches that the module takes."""
    own = {name: size for name, size in sizes.items() if name in request.dimensions}
    return trace_module(replace(request, sizes=own, notes=()), request.class_name, request.class_name)


def _settled(request: TraceRequest, symbols: Symbols) -> dict[str, Number]:
    """The dimensions that the module takes for numbers, at the user's sizes. Raises TraceError without such a size."""
    numbers = {}
    for name, line in lines_of_settled(symbols).items():
        if name not in request.sizes:
            size = symbols.settled()[name]
            at = f", {line}" if line else ""
            raise TraceError(
                f"{name} cannot stay a variable: the module takes it for the number {size}{at}; "
                f"--size {name}={size} traces it at that size, and --name writes it by name"
            )
        numbers[name] = Number(request.sizes[name], f"the module takes it for a number, {line or 'in its code'}")
    return numbers


def _at_other_branches(setting: Setting, run: FakeRun, unmet: list[Condition], name: str, source: str) -> Model:
    """Where branches go another way at the user's sizes: the same formulas if nothing changes, else numbers."""
    sizes = setting.request.sizes
    numbers = {
        size: Number(sizes[size], f"a branch depends on it, {condition.line}")
        for condition in unmet
        for size in condition.names & sizes.keys()
    }
    general = _model(setting, run, name, source)
    special = _model(*_first_answer(replace(setting, numbers=numbers)), name, source)
    if _costs(general) != _costs(special):
        return special
    met = tuple(condition for condition in general.sizes.conditions if condition not in unmet)
    gone = tuple(f"holds for {condition.text} " for condition in unmet)
    notes = tuple(note for note in general.notes if not note.startswith(gone))
    return replace(general, sizes=replace(general.sizes, conditions=met), notes=notes)


def _costs(model: Model) -> tuple[list[int], list[Expr]]:
    """What a model comes to at its own sizes."""
    report = measure(model, ["params", "flops", *["saved"] * model.saves])
    return [int(total.value) for total in report.total.values()], [*report.not_counted.values()]


# runs


def _first_answer(setting: Setting) -> Answer:
    """The first pass that is not refused, and its setting.

    Raises the error of the first pass if all are refused: the later ones are attempts to mend it.
    """
    first: ShapevizError | None = None
    data_dependent: set[bool] = set()  # the modes in which the module depends on data, whatever the sizes
    for attempt in passes(setting):
        if attempt.as_numbers and isinstance(first, DataDependentError):
            continue
        if not attempt.as_numbers and attempt.evaluating in data_dependent:
            continue
        if first and isinstance(first.__cause__, RecursionError) and not attempt.may_be_shorter:
            continue
        try:
            return _answer(_with_numbers(replace(setting, by=attempt), first))
        except ShapevizError as error:
            first = first or error
            if isinstance(error, DataDependentError):
                data_dependent.add(attempt.evaluating)
    assert first is not None
    raise first from first.__cause__


def _with_numbers(setting: Setting, first: ShapevizError | None) -> Setting:
    """The setting with all sizes of the user's as numbers, if its pass says so. first: the error of the first pass."""
    if not setting.by.as_numbers:
        return setting
    why = str(first).partition("\n")[0]
    reason = f"the module can be traced with numbers only ({why})"
    numbers = {name: Number(setting.request.sizes[name], reason) for name in setting.sized}
    return replace(setting, numbers={**setting.numbers, **numbers})


def _answer(setting: Setting) -> Answer:
    """One pass. It begins anew where it turns out that identical layers differ, or that forward needs gradients.

    Both are kept in the request of the setting that is returned, for whatever is run later.
    """
    while True:
        run, request = setting.new_run(), setting.request
        try:
            run.run(setting.by.evaluating)
        except UnlikeError:
            setting = replace(setting, request=replace(request, fold=False))
        except (Exception, SystemExit) as error:
            differentiates = "does not require grad" in str(error)  # forward calls torch.autograd itself
            if request.saves or not differentiates:
                raise _explained(error, setting, run) from error
            setting = replace(setting, request=replace(request, saves=True))
        else:
            if not run.recording.root.outputs:
                raise InputError(f"the forward of {request.class_name} returns no tensor: there is nothing to trace")
            return setting, run


def _explained(error: BaseException, setting: Setting, run: FakeRun) -> ShapevizError:
    """The one message for what went wrong; where shapes disagree, with the tree so far."""
    request = setting.request
    explanation = explained(error, run.recording, request.sizes)
    if isinstance(explanation, TraceError) and hasattr(run.recording, "root"):
        explanation.model = model_of(setting, run, request.class_name, "the trace so far", again=None)
    return explanation
