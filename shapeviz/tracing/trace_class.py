"""A class with letters for its arguments: built and run with symbols, and where it takes one for a number, at several.

Most arguments pass as symbols. One that decides how often a loop runs, or that Python or C++ wants as a number, settles
while the class is built or run. It is given numbers then, small ones, and its letter put back where the trees agree:
each expression as a polynomial in it, proved by one value more than it needs, and by one run with all of them moved.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from shapeviz.errors import ShapevizError
from shapeviz.ir import Condition, Model
from shapeviz.report import measure
from shapeviz.tracing.admissible_sizes import series
from shapeviz.tracing.branch_conditions import broken
from shapeviz.tracing.combine_trees import UnlikeTreesError
from shapeviz.tracing.interpolate_models import DecidedError, joined, ordered, put_back
from shapeviz.tracing.interpolate_trees import NoPolynomialError
from shapeviz.tracing.passes import Number

FEWEST = 3  # values at which a letter is tried that must be a number: three prove a formula affine in it
FARTHER = 6  # how much later a series may begin, so that one letter stays greater than another

Run = Callable[[Mapping[str, Number]], Model]  # the model with some letters as numbers


class SettledError(Exception):
    """Letters turned out to be numbers while the class was run. `lines` say where, by letter."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        super().__init__(", ".join(lines))
        self.lines = dict(lines)


class StaysError(Exception):
    """Letters for which there is no formula: they stay numbers. `reasons` say why, by letter."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = dict(reasons)


def trace_class(
    letters: Sequence[str], wanted: Mapping[str, int], settled: Mapping[str, str], run: Run, periods: Mapping[str, int]
) -> Model:
    """The model of a class in all its letters, those excepted for which there is no formula: they stay numbers.

    wanted: the sizes of the report. settled: the letters that building takes for numbers, each with its line; `run` may
    raise SettledError for more of them. periods: of letters, after how many of what they count it begins anew.
    """
    lines, stay, deciding = dict(settled), dict[str, str](), dict[str, str]()
    before: _Before | None = None
    indifferent: set[str] = set()  # conditions that make no difference
    run = _once(run)
    while True:
        numbers = {name: Number(wanted.get(name, 2), why) for name, why in {**stay, **deciding}.items()}
        varied = {name: line for name, line in lines.items() if name not in numbers}
        free = {*letters} - numbers.keys() - varied.keys()
        runs = _Varied(varied, {*settled}, wanted, partial(_run, run, numbers), periods)
        try:
            base = runs.base()
            if before and _agree(before.model, base):  # as if these had never been numbers
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
            model = runs.model()
        except SettledError as error:
            stay |= {name: _why(line) for name, line in error.lines.items() if name in lines}  # it was to be varied
            lines |= error.lines
            continue
        except StaysError as error:
            stay |= error.reasons
            continue
        except DecidedError as error:
            more = _deciding(error.conditions, free)
            if not more:  # what decides it is no letter of the class
                stay[error.letter] = f"{_why(lines[error.letter])}; what is built changes with it, as {error}"
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


def _agree(model: Model, special: Model) -> bool:
    """Whether two models cost the same, as polynomials in what are letters in both; `special` has more numbers."""
    numbers = {name: special.sizes.values[name] for name in special.sizes.pinned}
    return _costs(model, numbers) == _costs(special, numbers)


def _costs(model: Model, numbers: Mapping[str, int]) -> list[tuple[object, object]]:
    """What a model comes to with numbers for some letters, counted and not counted."""
    columns = measure(model, ["params", "flops", *["saved"] * model.saves]).columns.values()
    return [(column.total.subs(numbers), column.not_counted.subs(numbers)) for column in columns]


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


def _run(run: Run, numbers: Mapping[str, Number], more: Mapping[str, Number]) -> Model:
    """A run with numbers that stay, which no note of its own speaks of: its reasons would differ from run to run."""
    model = run({**numbers, **more})
    told = tuple(number.told(name) for name, number in numbers.items())
    return replace(model, notes=tuple(note for note in model.notes if not told or not note.startswith(told)))


def _why(line: str) -> str:
    return f"the class takes it for a number, {line or 'in its code'}"


class _Varied:
    """The runs with numbers for some letters, by letter their lines; `model` puts the letters back.

    building: those that are numbers when the class is built, as what says how many layers it has.
    """

    def __init__(
        self, lines: Mapping[str, str], building: set[str], wanted: Mapping[str, int], run: Run,
        periods: Mapping[str, int],
    ) -> None:  # fmt: skip
        self.letters, self.lines, self.building, self.wanted, self.periods = [*lines], lines, building, wanted, periods
        self._run = run
        self.series: dict[str, list[tuple[int, ...]]] = {}

    def base(self) -> Model:
        """The first of the runs. Raises StaysError, SettledError."""
        self._begin("")
        return self._at({letter: self._first(letter) for letter in self.letters})

    def model(self) -> Model:
        """Raises StaysError for a letter without a formula, SettledError for a letter that is a number as well."""
        first: StaysError | None = None
        for farther in ["", *self.letters] if len(self.letters) > 1 else [""]:
            try:
                return self._confirmed(self._model(farther))
            except StaysError as error:
                first = first or error
        raise first or AssertionError("there is a first try")

    def _begin(self, farther: str) -> None:
        """The series of values, that of one letter begun later, so that it is always the greater one."""
        for letter in self.letters:
            later, small = FARTHER if letter == farther else 0, letter in self.building
            self.series[letter] = series(self.wanted.get(letter), self.periods.get(letter, 1), later, small)
            if not self.series[letter]:
                raise StaysError({letter: f"{_why(self.lines[letter])}; it is too small to be varied"})

    def _model(self, farther: str) -> Model:
        if not self.letters:
            return self._run({})
        self._begin(farther)
        base = {letter: self._first(letter) for letter in self.letters}
        in_one = {letter: self._in(letter, base) for letter in self.letters}
        if len(self.letters) == 1:
            return in_one[self.letters[0]]
        moved = {letter: self.series[letter][0][2] for letter in self.letters}
        try:
            tried = {letter: self.series[letter][0][:FEWEST] for letter in self.letters}
            return ordered(joined(self._at(base), in_one, self._at(moved), moved), tried, self.wanted)
        except (UnlikeTreesError, ShapevizError) as error:
            last, others = self.letters[-1], ", ".join(self.letters[:-1])
            raise StaysError({last: f"{_why(self.lines[last])}; it acts together with {others}, {error}"}) from None

    def _confirmed(self, model: Model) -> Model:
        """The model, if it is right at the wanted sizes too, which may be far from those that were run.

        Raises StaysError for the letters that are otherwise there, as where the eighth layer has what no other has.
        """
        far = {
            letter: size for letter in self.letters if (size := self.wanted.get(letter, 0)) > self.series[letter][0][2]
        }
        if not far:
            return model
        try:
            special = self._at({**{letter: self.series[letter][0][0] for letter in self.letters}, **far})
        except ShapevizError:  # sizes that exclude each other: nothing is counted there
            return model
        if _agree(model, special):
            return model
        raise StaysError({
            name: f"{_why(self.lines[name])}; its formulas are others at {size} than at small values"
            for name, size in far.items()
        })  # fmt: skip

    def _first(self, letter: str) -> int:
        """The first value of the first series at which the class runs at all, the other letters at their first."""
        failure = ""
        while self.series[letter]:
            try:
                self._at({name: self.series[name][0][0] for name in self.letters if self.series[name]})
            except ShapevizError as error:
                failure = failure or str(error).partition("\n")[0]
                self.series[letter].pop(0)
            else:
                return self.series[letter][0][0]
        raise StaysError({letter: f"{_why(self.lines[letter])}; {failure or 'it is too small to be varied'}"})

    def _at(self, values: Mapping[str, int]) -> Model:
        return self._run({letter: Number(value, _why(self.lines[letter])) for letter, value in values.items()})

    def _in(self, letter: str, base: Mapping[str, int]) -> Model:
        """The model in one letter, the others at their base, from as few values as there must be."""
        failure = ""
        for values in self.series[letter]:
            models: dict[int, Model] = {}
            try:
                for value in values:
                    models[value] = self._at({**base, letter: value})
                    if len(models) >= FEWEST and (found := self._tried(letter, models, last=value == values[-1])):
                        self.series[letter] = [values]
                        return found
            except (UnlikeTreesError, ShapevizError) as error:
                failure = failure or str(error).partition("\n")[0]
        raise StaysError({letter: f"{_why(self.lines[letter])}; what is built changes with it, {failure}"})

    def _tried(self, letter: str, models: Mapping[int, Model], last: bool) -> Model | None:
        """The model in a letter; None if more values may do. Raises UnlikeTreesError if they cannot."""
        try:
            return put_back(letter, self.wanted, models)
        except NoPolynomialError:
            if last:
                raise
            return None
