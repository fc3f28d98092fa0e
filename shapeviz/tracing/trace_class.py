"""A class with letters for its arguments: built and run with symbols, and where it takes one for a number, at several.

Most arguments pass as symbols. One that decides how often a loop runs, or that Python or C++ wants as a number, settles
while the class is built or run. It is given numbers then, small ones, and its letter put back where the trees agree:
each expression as a polynomial in it, proved by one value more than it needs, and by one run with all of them moved.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from shapeviz.ir import Condition, Model
from shapeviz.tracing.branch_conditions import broken
from shapeviz.tracing.interpolate_models import DecidedError
from shapeviz.tracing.passes import Number
from shapeviz.tracing.vary_numbers import Run, Runs, StaysError, Varied, agree, why


class SettledError(Exception):
    """Letters turned out to be numbers while the class was run. `lines` say where, by letter."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        super().__init__(", ".join(lines))
        self.lines = dict(lines)


def trace_class(
    letters: Sequence[str],
    wanted: Mapping[str, int],
    settled: Mapping[str, str],
    runs: Runs,
    periods: Mapping[str, int],
) -> Model:
    """The model of a class in all its letters, those excepted for which there is no formula: they stay numbers.

    wanted: the sizes of the report. settled: the letters that building takes for numbers, each with its line; a run
    may raise SettledError for more of them. periods: of letters, after how many of what they count it begins anew.
    """
    lines, stay, deciding = dict(settled), dict[str, str](), dict[str, str]()
    before: _Before | None = None
    indifferent: set[str] = set()  # conditions that make no difference
    once = runs._replace(symbolic=_once(runs.symbolic))
    while True:
        numbers = {name: Number(wanted.get(name, 2), why) for name, why in {**stay, **deciding}.items()}
        varied = {name: line for name, line in lines.items() if name not in numbers}
        free = {*letters} - numbers.keys() - varied.keys()
        varying = Varied(varied, {*settled}, wanted, _with(once, numbers), periods)
        try:
            base = varying.base()
            if before and agree(before.model, base):  # as if these had never been numbers
                deciding, before = before.deciding, None
                continue
            indifferent -= before.unmet if before else set()
            unmet = _unmet(base, {name: size for name, size in wanted.items() if name not in varied}, indifferent)
            if more := _deciding(unmet[:1], free):
                own = {condition.text for condition in unmet if condition.names & free <= more.keys()}
                before, deciding = _Before(base, deciding, own), {**deciding, **more}
                indifferent |= own
                continue
            before = None
            model = varying.model()
        except SettledError as error:
            stay |= {name: why(line) for name, line in error.lines.items() if name in lines}  # it was to be varied
            lines |= error.lines
            continue
        except StaysError as error:
            stay |= error.reasons
            continue
        except DecidedError as error:
            more = _deciding(error.conditions, free)
            if not more:  # what decides it is no letter of the class
                stay[error.letter] = f"{why(lines[error.letter])}; what is built changes with it, as {error}"
                continue
        else:
            more = _deciding(_unmet(model, {}, indifferent), free)
            if not more:
                return _with_reasons(_without(model, indifferent), numbers)
        deciding, stay = {**deciding, **more}, {}  # with these as numbers there may be formulas in others


class _Before(NamedTuple):
    """A model before more letters became numbers: those that decided branches in it, and the conditions at issue."""

    model: Model
    deciding: dict[str, str]
    unmet: set[str]


def _unmet(model: Model, wanted: Mapping[str, int], indifferent: Container[str]) -> list[Condition]:
    """The conditions of a model that wanted sizes break, those excepted that make no difference."""
    sizes = {**model.sizes.resolve(), **wanted}
    return [condition for condition in broken(model.sizes.conditions, sizes) if condition.text not in indifferent]


def _deciding(conditions: Iterable[Condition], letters: set[str]) -> dict[str, str]:
    """The letters in conditions, each with why it must be a number."""
    return {
        name: f"a branch depends on it, {condition.line}"
        for condition in conditions
        for name in sorted(condition.names & letters)
    }


def _without(model: Model, texts: Container[str]) -> Model:
    """The model without these conditions."""
    met = tuple(condition for condition in model.sizes.conditions if condition.text not in texts)
    if len(met) == len(model.sizes.conditions):
        return model
    gone = tuple(f"holds for {c.text} " for c in model.sizes.conditions if c.text in texts)
    notes = tuple(note for note in model.notes if not note.startswith(gone))
    return replace(model, sizes=replace(model.sizes, conditions=met), notes=notes)


def _with_reasons(model: Model, numbers: Mapping[str, Number]) -> Model:
    """The model with why each of these letters is a number in it: a run may have been made for another reason."""
    told = {name: number.told(name) for name, number in numbers.items()}
    notes = [note for note in model.notes if not note.startswith(tuple(told.values()))]
    notes += [told[name] + number.reason for name, number in numbers.items()]
    pinned = {**model.sizes.pinned, **{name: number.reason for name, number in numbers.items()}}
    return replace(model, notes=tuple(notes), sizes=replace(model.sizes, pinned=pinned))


def _once(run: Run) -> Run:
    """The same, each run made once."""
    made: dict[tuple[tuple[str, int], ...], Model] = {}

    def once(numbers: Mapping[str, Number]) -> Model:
        key = tuple(sorted((name, number.size) for name, number in numbers.items()))
        if key not in made:
            made[key] = run(numbers)
        return made[key]

    return once


def _with(runs: Runs, numbers: Mapping[str, Number]) -> Runs:
    """The runs with numbers that stay, which no note of theirs speaks of: its reasons would differ from run to run."""
    told = tuple(number.told(name) for name, number in numbers.items())

    def symbolic(more: Mapping[str, Number]) -> Model:
        model = runs.symbolic({**numbers, **more})
        return replace(model, notes=tuple(note for note in model.notes if not told or not note.startswith(told)))

    return runs._replace(symbolic=symbolic, plain=lambda more, like: runs.plain({**numbers, **more}, like))
