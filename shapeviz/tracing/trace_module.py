"""From a module and its inputs to a Model: passes are tried until one answers, dimensions that are numbers settled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from shapeviz.errors import DataDependentError, InputError, ShapevizError, TraceError
from shapeviz.ir import Door, Model, Origin, Sizes
from shapeviz.report import measure
from shapeviz.tracing.agreement import whichever
from shapeviz.tracing.assumed_branches import assuming
from shapeviz.tracing.blueprint import alike
from shapeviz.tracing.branch_conditions import broken, conditions, lines_of_settled
from shapeviz.tracing.exact_quotients import ExactQuotients
from shapeviz.tracing.explain_failure import explained
from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.folding import UnlikeError
from shapeviz.tracing.interpolate_models import without_effect
from shapeviz.tracing.messages import words
from shapeviz.tracing.modes import PatienceError
from shapeviz.tracing.passes import Number, Pass, Setting, passes
from shapeviz.tracing.questions import EndlessError
from shapeviz.tracing.structure import LETTER, WHY, structure
from shapeviz.tracing.symbolic_sizes import Symbols, is_batch
from shapeviz.tracing.trace_class import SettledError, trace_class
from shapeviz.tracing.trace_request import TraceRequest
from shapeviz.tracing.traced_model import model_of, simplified
from shapeviz.tracing.vary_numbers import Runs

MOST_TURNS = 4  # sizes at which a class is tried whose letters are alike at the first ones
Answer = tuple[Setting, FakeRun]


def trace_module(request: TraceRequest, name: str, source: str) -> Model:
    """The model of a prepared request. Raises InputError, SizeError or TraceError.

    At the sizes that were asked for it meets every condition of its trace, or agrees in every row and total with a
    trace that does.
    """
    plan = request.blueprint
    if plan is None:
        return _with_letters(Setting(request), name, source)
    first: ShapevizError | None = None
    for tried in islice(plan.further(request.sizes), MOST_TURNS):
        request = replace(request, blueprint=tried)
        runs = Runs(
            partial(_with_numbers_of_class, request, name, source),
            partial(_with_numbers_alone, request, name, source),
            patient=len({*tried.hints.values()}) == len(tried.hints),  # no two letters are alike
        )
        try:
            model = trace_class(request.letters, request.known, tried.settled, runs, tried.periods)
            if tried.otherwise and tried.rules.keys() & model.sizes.pinned.keys():
                break  # layers of one kind are not all alike
            return without_effect(model, request.letters) if tried.chosen else tried.of_kinds(model)
        except AlikeError:
            continue
        except ShapevizError as error:
            first = first or error
            if runs.patient:
                break  # it is the class that cannot be run
    if plan.otherwise:
        module, fewer = plan.otherwise.probed(request.sizes)
        gone = {*plan.letters} - {*fewer.letters}
        sizes = {letter: size for letter, size in request.sizes.items() if letter not in gone}
        return trace_module(replace(request, module=module, blueprint=fewer, sizes=sizes), name, source)
    raise first or InputError(f"{name} takes some of {', '.join(request.letters)} for one and the same")


def _with_numbers_of_class(request: TraceRequest, name: str, source: str, numbers: Mapping[str, Number]) -> Model:
    """The model of a class with some letters as numbers. Raises SettledError for those that are numbers as well."""
    return _with_letters(Setting(request, numbers=numbers), name, source)


def _with_numbers_alone(
    request: TraceRequest, name: str, source: str, numbers: Mapping[str, Number], like: Model
) -> Model:
    """The model of a class with numbers for everything, those of its letters and dimensions that another run had."""
    by = like.origin.trace.setting.by if like.origin and like.origin.trace else Pass()
    sizes = dict(Setting(request, by, numbers).symbols().hints)
    sizes |= {name: size for name, size in like.sizes.values.items() if name in like.sizes.pinned}
    every = {**{name: Number(size, "") for name, size in sizes.items()}, **numbers}
    setting = Setting(request, by, every)
    return _unrun(setting, name, source) if not request.runs else _model(*_first_answer(setting), name, source)


def _with_letters(setting: Setting, name: str, source: str) -> Model:
    """The model of a setting, all in its variables that can be letters; where patience ends, in the batch alone."""
    request = setting.request
    if not request.runs:
        return _unrun(setting, name, source)
    if request.blueprint or all(map(is_batch, setting.variables)):
        return _without_haste(setting, name, source)
    try:
        return _without_haste(replace(setting, deadline=time.process_time() + request.patience), name, source)
    except PatienceError:
        hints = setting.symbols().hints
        sizes = {**{name: size for name, size in hints.items() if not is_batch(name)}, **request.sizes}
        why = f"with letters it takes longer than {request.patience:g} seconds; --patience SECONDS waits for them"
        numbers = {name: Number(sizes[name], why) for name in setting.variables if not is_batch(name)}
        setting = replace(setting, request=replace(request, sizes=sizes), numbers={**setting.numbers, **numbers})
        return _without_haste(setting, name, source)


def _without_haste(setting: Setting, name: str, source: str) -> Model:
    numbers = setting.numbers
    setting, run = _first_answer(setting)
    general = None
    while change := _change(setting, run):
        if not run.symbols.settled() and setting.numbers == numbers:
            general = general or (setting, run)
        setting, run = _first_answer(replace(setting, **change))
    special = _model(setting, run, name, source)
    return whichever(_model(*general, name, source), special) if general else special


def _change(setting: Setting, run: FakeRun) -> dict[str, Any]:
    """What the next run has to do otherwise, so that it holds at the user's sizes; nothing if this one does.

    A dimension that the module takes for a number becomes one. Where a branch goes another way than it would at these
    sizes, they are the ones at which branches are decided, and those of one, which torch has no symbol for, numbers.
    """
    request, symbols = setting.request, run.symbols
    if settled := _settled(request, symbols):  # the formulas of this run may hold for no other sizes
        return {"numbers": {**setting.numbers, **settled}}
    unmet = broken(conditions(symbols), {**symbols.hints, **request.sizes})
    moved = {
        name: condition.line
        for condition in unmet
        for name in condition.names & request.sizes.keys() - _letters(request)
        if request.sizes[name] != symbols.hints[name]
    }
    ones = {
        name: Number(1, "a branch depends on it" + f", {line}" * bool(line))
        for name, line in moved.items()
        if request.sizes[name] == 1
    }
    return {"numbers": {**setting.numbers, **ones}, "exact": setting.exact or len(ones) < len(moved)} if moved else {}


class AlikeError(Exception):
    """Two letters were found to be equal, since they are at the sizes of the run."""


def _letters(request: TraceRequest) -> set[str]:
    """The letters of a class; what else has a name is a dimension of the inputs."""
    return set(request.letters)


def _unrun(setting: Setting, name: str, source: str) -> Model:
    """The model of a module that is not run: its parameters alone."""
    symbols, module = setting.built()
    _settled(setting.request, symbols)
    known, plan = setting.request.known, setting.request.blueprint
    values = {name: known.get(name, hint) for name, hint in symbols.hints.items()} | setting.fixed
    exact = ExactQuotients.of(conditions(symbols))
    rewritten = simplified(structure(module, symbols), exact)
    _settled(setting.request, symbols)  # a size of a weight may have no form
    return Model(
        name=name, title=f"{name}, not run", source=source, root=rewritten.root,
        sizes=Sizes(
            values, pinned=setting.reasons, conditions=tuple(exact.conditions), arguments=plan.arguments if plan else {}
        ),
        legend=plan.meanings if plan else {},
        missing={LETTER: WHY}, notes=(*setting.notes, "forward was not traced: --input describes its inputs"),
        origin=Origin(Door.MODULE), again=partial(_again, setting.request) if plan else None,
    )  # fmt: skip


def _model(setting: Setting, run: FakeRun, name: str, source: str) -> Model:
    return model_of(setting, run, name, source, partial(_again, setting.request))


def _again(request: TraceRequest, sizes: Mapping[str, int]) -> Model:
    """The same at other sizes, which decide the branches that the module takes."""
    known = request.blueprint.by_letter(sizes) if request.blueprint else sizes
    own = {name: size for name, size in known.items() if name in request.dimensions}
    return trace_module(replace(request, sizes=own, notes=()), request.class_name, request.class_name)


def _settled(request: TraceRequest, symbols: Symbols) -> dict[str, Number]:
    """The dimensions that the module takes for numbers, at the user's sizes. Raises TraceError without such a size."""
    numbers = {}
    lines = {**symbols.formless, **lines_of_settled(symbols)} if request.letters else lines_of_settled(symbols)
    lines = {name: line for name, line in lines.items() if name in symbols.settled() or name in _letters(request)}
    if alike(symbols) and request.letters:
        raise AlikeError
    if of_class := lines.keys() & _letters(request):
        raise SettledError({name: lines[name] for name in lines if name in of_class})
    for name, line in lines.items():
        if name not in request.sizes:
            size = symbols.settled()[name]
            at = f", {line}" if line else ""
            raise TraceError(
                f"{name} cannot stay a variable: the module takes it for the number {size}{at}; "
                f"--size {name}={size} traces it at that size"
            )
        numbers[name] = Number(request.sizes[name], f"the module takes it for a number, {line or 'in its code'}")
    return numbers


# runs


def _first_answer(setting: Setting) -> Answer:
    """The first pass that is not refused, and its setting.

    Raises the error of the first pass if all are refused: the later ones are attempts to mend it.
    """
    first: ShapevizError | None = None
    last: ShapevizError | None = None
    data_dependent: set[tuple[bool, bool]] = set()  # the modes in which the module depends on data, whatever the sizes
    for attempt in passes(setting):
        mode = attempt.evaluating, attempt.assuming
        if attempt.assuming and not data_dependent:
            continue
        if isinstance(last if attempt.assuming else first, DataDependentError) and attempt.as_numbers:
            continue
        if not attempt.as_numbers and mode in data_dependent:
            continue
        if first and isinstance(first.__cause__, RecursionError) and not attempt.may_be_shorter:
            continue
        tried = _with_numbers(replace(setting, by=attempt), last)
        try:
            return assuming(tried, _answer, _cost) if attempt.assuming else _answer(tried)
        except (EndlessError, PatienceError):
            raise
        except ShapevizError as error:
            first, last = first or error, error
            if isinstance(error, DataDependentError):
                data_dependent.add(mode)
    assert first is not None
    raise first from first.__cause__


def _cost(setting: Setting, run: FakeRun) -> tuple[int, ...]:
    """What a run comes to at its sizes, by which two of them are compared; sizes that data decide are ones."""
    model = model_of(setting, run, setting.request.class_name, "", again=None)
    report = measure(model, ["flops", *["saved"] * model.saves])
    ones = dict.fromkeys(model.missing, 1)
    unknown = (report.not_counted[name].at({**report.sizes.numbers, **ones}) for name in report.not_counted)
    return *(int(total.value) for total in report.total.values()), *map(int, unknown)


def _with_numbers(setting: Setting, before: ShapevizError | None) -> Setting:
    """The setting with all sizes of the user's as numbers, if its pass says so. first: the error of the first pass."""
    if not setting.by.as_numbers:
        return setting
    why = str(before).partition("\n")[0]
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
        except (Exception, SystemExit, GeneratorExit) as error:
            differentiates = "does not require grad" in words(error)  # forward calls torch.autograd itself
            if request.saves or not differentiates:
                raise _explained(error, setting, run) from error
            setting = replace(setting, request=replace(request, saves=True))
        else:
            if not run.recording.root.outputs and not run.recording.root.body:
                raise InputError(f"the forward of {request.class_name} returns no tensor: there is nothing to trace")
            return setting, run


def _explained(error: BaseException, setting: Setting, run: FakeRun) -> ShapevizError:
    """The one message for what went wrong; where shapes disagree, with the tree so far."""
    request = setting.request
    explanation = explained(error, run.recording, request.sizes)
    if isinstance(explanation, TraceError) and hasattr(run.recording, "root"):
        explanation.model = model_of(setting, run, request.class_name, "the trace so far", again=None)
    return explanation
