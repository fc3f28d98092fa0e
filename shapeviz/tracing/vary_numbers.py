"""Letters that must be numbers when a class is built or run: tried at several values, and put back where trees agree.

The first two runs of a letter are made with symbols for all others. A third one, at the wanted size or as far as we go,
has numbers for everything: the formulas must come to its numbers, block by block. Where that cannot be compared, more
runs with symbols confirm each other. However deep a model is, no run has more than MOST_TRIED of what a letter counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from shapeviz.errors import ShapevizError
from shapeviz.ir import Model
from shapeviz.report import measure
from shapeviz.tracing.admissible_sizes import series
from shapeviz.tracing.combine_trees import UnlikeTreesError
from shapeviz.tracing.interpolate_models import joined, ordered, put_back
from shapeviz.tracing.interpolate_trees import NoPolynomialError
from shapeviz.tracing.passes import Number

FEWEST = 3  # runs with symbols that confirm a formula affine in a letter by themselves
FARTHER = 6  # how much later a series may begin, so that one letter stays greater than another
MOST_TRIED = 128  # of what a letter counts, where its formulas are compared with numbers: no published model is deeper

Run = Callable[[Mapping[str, Number]], Model]  # the model with some letters as numbers
PlainRun = Callable[[Mapping[str, Number], Model], Model]  # the same with numbers for all, at the sizes of another run


class Runs(NamedTuple):
    """How a class is built and run: with symbols for the letters that are given no number, or with numbers alone.

    patient: a run that fails is made again at other values of the letters; else other sizes are tried for all.
    """

    symbolic: Run
    plain: PlainRun
    patient: bool = True


class StaysError(Exception):
    """Letters for which there is no formula: they stay numbers. `reasons` say why, by letter."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = dict(reasons)


def why(line: str) -> str:
    """Why a letter is a number."""
    return f"the class takes it for a number, {line or 'in its code'}"


def agree(model: Model, special: Model) -> bool:
    """Whether two models cost the same, as polynomials in what are letters in both; `special` has more numbers."""
    numbers = {name: special.sizes.values[name] for name in special.sizes.pinned}
    return _costs(model, numbers) == _costs(special, numbers)


def _costs(model: Model, numbers: Mapping[str, int]) -> list[tuple[object, object]]:
    """What a model comes to with numbers for some letters, counted and not counted."""
    columns = measure(model, ["params", "flops", *["saved"] * model.saves]).columns.values()
    return [(column.total.subs(numbers), column.not_counted.subs(numbers)) for column in columns]


class Varied:
    """The runs with numbers for some letters, by letter their lines; `model` puts the letters back.

    building: those that are numbers when the class is built, as what says how many layers it has.
    """

    def __init__(
        self, lines: Mapping[str, str], building: set[str], wanted: Mapping[str, int], runs: Runs,
        periods: Mapping[str, int],
    ) -> None:  # fmt: skip
        self.letters, self.lines, self.building, self.wanted, self.periods = [*lines], lines, building, wanted, periods
        self._runs = runs
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
                return self._told(self._model(farther))
            except StaysError as error:
                first = first or error
        raise first or AssertionError("there is a first try")

    def _told(self, model: Model) -> Model:
        """The model with a note for every letter whose real size is far from all that was run."""
        far = {letter: self._farthest(letter, self.series[letter][0]) for letter in self.letters}
        steps = {letter: self.series[letter][0][1] - self.series[letter][0][0] for letter in self.letters}
        beyond = [name for name, size in far.items() if self.wanted.get(name, 0) >= size + steps[name]]
        notes = (f"{name}: its formulas were compared with numbers up to {far[name]}" for name in beyond)
        return replace(model, notes=(*model.notes, *notes))

    def _begin(self, farther: str) -> None:
        """The series of values, that of one letter begun later, so that it is always the greater one."""
        for letter in self.letters:
            later, small = FARTHER if letter == farther else 0, letter in self.building
            self.series[letter] = series(self.wanted.get(letter), self.periods.get(letter, 1), later, small)
            if not self.series[letter]:
                raise StaysError({letter: f"{why(self.lines[letter])}; it is too small to be varied"})

    def _model(self, farther: str) -> Model:
        if not self.letters:
            return self._runs.symbolic({})
        self._begin(farther)
        base = {letter: self._first(letter) for letter in self.letters}
        in_one = {letter: self._in(letter, base) for letter in self.letters}
        if len(self.letters) == 1:
            return in_one[self.letters[0]]
        return self._joined(base, in_one)

    def _joined(self, base: Mapping[str, int], in_one: Mapping[str, Model]) -> Model:
        """The model in all letters, compared with a run in which all of them have moved."""
        moved = {letter: self.series[letter][0][2] for letter in self.letters}
        tried = {letter: self.series[letter][0][:FEWEST] for letter in self.letters}
        first = self._at(base)
        try:
            try:
                model = joined(first, in_one, self._plain(moved, first))
            except (UnlikeTreesError, ShapevizError):  # with symbols the trees may be more alike
                model = joined(first, in_one, self._at(moved))
            found = ordered(model, tried, self.wanted)
        except (UnlikeTreesError, ShapevizError) as error:
            last, others = self.letters[-1], ", ".join(self.letters[:-1])
            raise StaysError({last: f"{why(self.lines[last])}; it acts together with {others}, {error}"}) from None
        far = {letter: self._farthest(letter, self.series[letter][0]) for letter in self.letters}
        try:
            special = self._plain(far, first)
        except ShapevizError:  # sizes that exclude each other: nothing is counted there
            return found
        self._check(model, special, far)
        return found

    def _check(self, model: Model, special: Model, far: Mapping[str, int]) -> None:
        """Raises StaysError for letters in which the costs are otherwise at greater values."""
        if not agree(model, special):
            raise StaysError({
                name: f"{why(self.lines[name])}; its formulas are others at {size} than at small values"
                for name, size in far.items()
            })  # fmt: skip

    def _farthest(self, letter: str, values: tuple[int, ...]) -> int:
        """The wanted size, or the greatest that is tried of those that lie in the steps of a series."""
        first, step = values[0], values[1] - values[0]
        most = min(self.wanted.get(letter, 0), max(MOST_TRIED, values[-1]))
        return max(values[2], first + (most - first) // step * step)

    def _first(self, letter: str) -> int:
        """The first value of the first series at which the class runs at all, the other letters at their first."""
        failure = ""
        while self.series[letter]:
            try:
                self._at({name: self.series[name][0][0] for name in self.letters if self.series[name]})
            except ShapevizError as error:
                if not self._runs.patient:
                    raise
                failure = failure or str(error).partition("\n")[0]
                self.series[letter].pop(0)
            else:
                return self.series[letter][0][0]
        raise StaysError({letter: f"{why(self.lines[letter])}; {failure or 'it is too small to be varied'}"})

    def _numbers(self, values: Mapping[str, int]) -> dict[str, Number]:
        return {letter: Number(value, why(self.lines[letter])) for letter, value in values.items()}

    def _at(self, values: Mapping[str, int]) -> Model:
        return self._runs.symbolic(self._numbers(values))

    def _plain(self, values: Mapping[str, int], like: Model) -> Model:
        return self._runs.plain(self._numbers(values), like)

    def _in(self, letter: str, base: Mapping[str, int]) -> Model:
        """The model in one letter, the others at their base, from as few values as there must be."""
        failure = ""
        for values in self.series[letter]:
            models: dict[int, Model] = {}
            try:
                models = {value: self._at({**base, letter: value}) for value in values[:2]}
                far = {**base, letter: self._farthest(letter, values)}
                proof = self._proof(far, models[values[0]])
                if found := self._tried(letter, models, proof):
                    self.series[letter] = [values]
                    return found
                for value in values[2:]:
                    models[value] = self._at({**base, letter: value})
                    if found := self._tried(letter, models, None, last=value == values[-1]):
                        if proof:
                            self._check(found, proof, {letter: far[letter]})
                        self.series[letter] = [values]
                        return found
            except (UnlikeTreesError, ShapevizError) as error:
                failure = failure or str(error).partition("\n")[0]
        raise StaysError({letter: f"{why(self.lines[letter])}; what is built changes with it, {failure}"})

    def _proof(self, values: Mapping[str, int], like: Model) -> Model | None:
        try:
            return self._plain(values, like)
        except ShapevizError:
            return None

    def _tried(self, letter: str, models: Mapping[int, Model], proof: Model | None, last: bool = False) -> Model | None:
        """The model in a letter; None if more values may do. Raises UnlikeTreesError if they cannot."""
        if len(models) < FEWEST and not proof:
            return None
        try:
            return put_back(letter, self.wanted, models, proof)
        except NoPolynomialError:
            if last:
                raise
            return None
