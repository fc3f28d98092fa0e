"""One model in a letter from models at some of its values, and one in several letters from models in one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeviz.expr import Expr, floor, total
from shapeviz.ir import Block, Condition, Model
from shapeviz.tracing.combine_trees import Combined, UnlikeTreesError
from shapeviz.tracing.interpolate_trees import NoPolynomialError, interpolated
from shapeviz.tracing.passes import TRACED_AS

TRIED = "its smallest value that was run"  # in place of a line of code


class DecidedError(Exception):
    """Other letters decide how the trees change with one: they are in `conditions` that only some runs met."""

    def __init__(self, letter: str, conditions: Sequence[Condition]) -> None:
        super().__init__("; ".join(condition.text for condition in conditions))
        self.letter = letter
        self.conditions = tuple(conditions)


def put_back(letter: str, wanted: Mapping[str, int], models: Mapping[int, Model], proof: Model | None = None) -> Model:
    """One model of several, each at a value of the letter. Raises UnlikeTreesError.

    proof: a model with numbers for all that is a letter, from a run at a further value: with it two models will do.
    """
    first = next(iter(models.values()))
    values = [*models]
    parts = {value: _parts(model, letter) for value, model in models.items()}
    try:
        root = interpolated(letter, {value: own[0] for value, own in parts.items()}, confirmed=not proof)
        rest = interpolated(letter, {value: own[1:] for value, own in parts.items()})
    except NoPolynomialError:
        raise
    except UnlikeTreesError:
        if odd := _odd_conditions(models.values()):
            raise DecidedError(letter, odd) from None
        raise
    if proof:
        _compare(root, proof)
    sizes = {**first.sizes.values, letter: wanted.get(letter, values[0])}
    return _with(first, (root, *rest), sizes, _tried(letter, values[0], values[1] - values[0]), {letter})


def _compare(root: Block, proof: Model) -> None:
    """Raises NoPolynomialError unless the formulas of a tree come to the numbers of another model's, block by block."""
    at = _numbers(proof)
    seen: dict[Expr, Expr] = {}

    def sizes(values: Sequence[Expr]) -> Expr:
        own, number = values
        if own not in seen:
            seen[own] = own.subs(at)
        if seen[own] != number:
            raise UnlikeTreesError(f"{own} would be {seen[own]} where it is {number}")
        return own

    try:
        Combined(sizes, lambda texts: texts[0]).of([root, proof.root])
    except UnlikeTreesError as error:
        raise NoPolynomialError(str(error)) from None


def _numbers(model: Model) -> dict[str, int]:
    """What is a number in a model."""
    return {name: model.sizes.values[name] for name in model.sizes.pinned}


def ordered(model: Model, tried: Mapping[str, Sequence[int]], wanted: Mapping[str, int]) -> Model:
    """The model with a condition for every two letters of which one was the smaller in all that was run, as wanted.

    tried: the values of each letter, of which the first stood beside those of the others.
    """
    met = []
    for less, values in tried.items():
        for more, others in tried.items():
            always = max(values) < others[0] and values[0] < min(others)
            if less != more and always and wanted.get(less, 0) < wanted.get(more, 0):
                text = f"{less} < {more}"
                met.append(Condition(text, Expr.symbol(less), "<", Expr.symbol(more), "as in all that was run"))
    notes = (_holding(condition) for condition in met)
    sizes = replace(model.sizes, conditions=(*model.sizes.conditions, *met))
    return replace(model, sizes=sizes, notes=(*model.notes, *notes)) if met else model


def _odd_conditions(models: Iterable[Model]) -> list[Condition]:
    """The conditions that some models have and others have not."""
    met = [{condition.text: condition for condition in model.sizes.conditions} for model in models]
    shared = set(met[0]).intersection(*met[1:])
    return [condition for own in met for text, condition in own.items() if text not in shared]


def joined(base: Model, in_one: Mapping[str, Model], joint: Model) -> Model:
    """The model in all letters from those in one letter each. Raises UnlikeTreesError if the joint run disagrees.

    base: with all letters at their first value. joint: with all of them, and perhaps all else, at others.
    """

    def sizes(values: Sequence[Expr]) -> Expr:
        own, *each = values
        changed = [one for one in each if one != own]
        return changed[0] if len(changed) == 1 else own + total(one - own for one in changed)

    def text(values: Sequence[str]) -> str:
        own, *each = values
        return next((one for one in each if one != own), own)

    letters = [*in_one]
    parts = Combined(sizes, text).of([_parts(model, *letters) for model in (base, *in_one.values())])
    _compare(parts[0], joint)
    values = {**base.sizes.values, **{name: model.sizes.values[name] for name, model in in_one.items()}}
    tried = [condition for model in in_one.values() for condition in model.sizes.conditions if condition.line == TRIED]
    return _with(base, parts, values, tried, set(letters))


def without_effect(model: Model, letters: Iterable[str]) -> Model:
    """The model with a note for every letter that no size, cost or condition depends on: the class ignores it."""
    seen: set[str] = set(model.sizes.pinned)

    def look(sizes: Sequence[Expr]) -> Expr:
        seen.update(sizes[0].names)
        return sizes[0]

    Combined(look).of([(model.root, model.sizes.conditions)])
    notes = (
        f"{letter} is ignored: nothing that the class builds depends on it" for letter in letters if letter not in seen
    )
    return replace(model, notes=(*model.notes, *notes))


def _parts(model: Model, *letters: str) -> tuple[Any, ...]:
    """What of a model has formulas or sizes in it: its tree, its conditions, its notes."""
    own = tuple(f"{letter} {TRACED_AS} " for letter in letters)
    conditions = tuple(condition for condition in model.sizes.conditions if condition.line != TRIED)
    notes = tuple(note for note in model.notes if not note.startswith(own) and not note.endswith(f"({TRIED})"))
    return model.root, conditions, notes


def _with(
    model: Model, parts: tuple[Any, ...], values: Mapping[str, int], tried: Sequence[Condition], letters: set[str]
) -> Model:
    root, conditions, notes = parts
    _check_ties(root, set())
    pinned = {name: why for name, why in model.sizes.pinned.items() if name not in letters}
    notes += tuple(_holding(condition) for condition in tried)
    sizes = replace(model.sizes, values=values, pinned=pinned, conditions=(*conditions, *tried))
    return replace(model, root=root, notes=notes, sizes=sizes)


def _check_ties(block: Block, owned: set[int]) -> None:
    """Raises UnlikeTreesError for a shared weight that is not the same one in all trees."""
    owned.update(map(id, block.params))
    for inner in block.blocks:
        _check_ties(inner, owned)
    if any(id(weight) not in owned for weight in block.tied):
        raise UnlikeTreesError(f"a weight that {block.name} shares is another one in each")


def _tried(letter: str, first: int, step: int) -> list[Condition]:
    """For which values of a letter its formulas are proved: from the first one tried on, in its steps."""
    own = Expr.symbol(letter)
    met = [Condition(f"{letter} ≥ {first}", own, "≥", Expr.of(first), TRIED)] * (first > 1)
    if step > 1:
        steps = (own - first) / step
        text = f"{letter} = {first}, {first + step}, {first + 2 * step}, …"
        met.append(Condition(text, floor(steps), "=", steps, TRIED))
    return met


def _holding(condition: Condition) -> str:
    return f"holds for {condition.text}" + f" ({condition.line})" * bool(condition.line)
