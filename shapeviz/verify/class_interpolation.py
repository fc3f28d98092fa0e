"""The parameters of a class as a polynomial in its letters, from instances with numbers alone (shapeviz.interpolation).

Nothing of the construction with symbols enters but where its formulas hold: the conditions say which sizes are free.
Where they do not, of the letters that must divide others multiples are taken: d_model = h·q.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from time import process_time

from shapeviz.errors import InputError, SizeError
from shapeviz.expr import Atom, Expr, product
from shapeviz.expr.polynomial import Monomial, Number
from shapeviz.interpolation import Domain, Found, NotPolynomialError, interpolate_each
from shapeviz.ir import Model, Sizes
from shapeviz.report import measure
from shapeviz.tracing.admissible_sizes import DEPTH
from shapeviz.tracing.blueprint import Blueprint
from shapeviz.verify.all_sizes.parts import coefficient, first_difference, named, of_paths, of_report, unmatched
from shapeviz.verify.observation import without_numbers
from shapeviz.verify.peers import silence

MANY, FACTOR, FEW = 1000, 60, 6  # values of a letter; of one whose multiples are taken; of one that loops run over
DEGREE, FRESH = 5, 6
INSTANCES, SECONDS = 200, 30  # that are built at most, and for how long


class TooManyError(InputError):
    """The polynomial has so many terms, or the class takes so long, that it is not found within the bounds."""


@dataclass(frozen=True)
class Letters:
    """The free letters with their values, the letters of the class as products of them, and the way back."""

    domains: Mapping[str, Domain]
    sizes: Mapping[str, Expr]
    back: Mapping[str, Expr]
    multiples: Mapping[str, Expr]

    def shown(self, formula: Expr) -> Expr:
        """A formula in the letters of the class."""
        return formula.subs(self.back)


@dataclass
class Instances:
    """A black box: the parameters of a class at a point, by kind of module, each point built once."""

    model: Model
    plan: Blueprint
    letters: Letters
    seen: dict[tuple[int, ...], dict[str, int]] = field(default_factory=dict)
    began: float = field(default_factory=process_time)

    def by_module(self, point: Mapping[str, int]) -> dict[str, int]:
        """Raises InputError where a condition does not hold, TooManyError, or whatever the class raises."""
        place = tuple(point.values())
        if place not in self.seen:
            if len(self.seen) == INSTANCES:
                raise TooManyError(f"more than {INSTANCES} instances are needed")
            if process_time() - self.began > SECONDS:
                raise TooManyError(f"{len(self.seen)} instances took {SECONDS} seconds, and more are needed")
            sizes = {name: int(size.at(point)) for name, size in self.letters.sizes.items()}
            self.model.sizes.resolve(**sizes)
            module = self.plan.instance({**self.plan.sizes, **self.plan.hints, **sizes})
            counts: dict[str, int] = {}
            for name, weight in module.named_parameters():
                kind = without_numbers(name)
                counts[kind] = counts.get(kind, 0) + weight.numel()
            self.seen[place] = counts
        return self.seen[place]

    def whole(self, point: Mapping[str, int]) -> dict[str, int]:
        """The same of the whole class."""
        return {"": sum(self.by_module(point).values())}


@dataclass(frozen=True)
class Interpolated:
    """The formula that a class turns out to have, in its letters, and how it was found or where it differs."""

    formula: Expr
    equal: bool
    note: str


def parameters(model: Model, plan: Blueprint, formula: Expr) -> Interpolated:
    """The parameters of a class by interpolation, compared with a formula, module by module where they differ.

    Raises InputError where the class has no polynomial in its letters, or needs too many instances; whatever it raises.
    """
    try:
        return _interpolated(model, plan, formula, free_letters(model.sizes, plan, formula))
    except (NotPolynomialError, TooManyError):
        raise
    except Exception:  # a size that some number of the configuration must be within, a padding token within V
        return _interpolated(model, plan, formula, free_letters(model.sizes, plan, formula, large=True))


def _interpolated(model: Model, plan: Blueprint, formula: Expr, letters: Letters) -> Interpolated:
    box = Instances(model, plan, letters)
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Found[str] = interpolate_each(box.whole, letters.domains, fresh=FRESH, degree=DEGREE)
        ours = formula.subs(letters.sizes)
        if ours != found.expr:
            return Interpolated(letters.shown(found.expr), False, _where(model, box, ours, found.expr))
    note = f"equal as polynomials, from {len(box.seen)} instances"
    if found.chance:
        note += f", a false formula passes with a chance below 1 in {int(1 / found.chance):,}"
    note += "".join(f"; {name} in multiples of {below}" for name, below in letters.multiples.items())
    return Interpolated(letters.shown(found.expr), True, note)


def _where(model: Model, box: Instances, ours: Expr, theirs: Expr) -> str:
    """The first term that differs, and the rows and modules that it is from."""
    letters, term = box.letters, first_difference(ours, theirs)
    text = (
        f"{letters.shown(term)} has the coefficient {coefficient(ours, term)}, the class has "
        f"{coefficient(theirs, term)}"
    )
    try:
        modules = interpolate_each(box.by_module, letters.domains, fresh=FRESH, degree=DEGREE).formulas
    except InputError as error:
        return f"{text}; not found by module: {error}"
    blocks = of_report(measure(model, ["params"]), "params", lambda x: x.subs(letters.sizes))
    left, right = unmatched(blocks, of_paths(modules).parts)
    return f"{text}: here {named(left, term) or 'in no row'}; there {named(right, term) or 'in no module'}"


def free_letters(sizes: Sizes, plan: Blueprint, formula: Expr, large: bool = False) -> Letters:
    """The letters of a class, those that others must divide as products of these and a letter of their own.

    large: what is large in the model is at least as large.
    """
    names = [name for name in plan.letters if name in sizes.names]
    free = [name for name in names if name not in sizes.pinned]
    sides = [side for condition in sizes.conditions for side in (condition.left, condition.right) if side is not None]
    quotients = [quotient for side in (formula, *sides) for quotient in _rounded(side)]
    divisors = {name: _largest(_divisors(name, quotients, free)) for name in free}
    factors = {letter for each in divisors.values() for divisor in each for letter in divisor.names}
    found: dict[str, Expr] = {name: Expr.of(sizes.values[name]) for name in names if name not in free}
    back: dict[str, Expr] = {}
    multiples: dict[str, Expr] = {}
    domains: dict[str, Domain] = {}
    for name in sorted(free, key=lambda name: _height(name, divisors)):
        below = product(divisors[name])
        own = name if below == 1 else f"{name}_quotient"
        found[name] = below.subs(found) * own
        values = _domain(name, sizes, plan, free, int(below.at()) if below.is_constant else 1)
        if own != name or name in factors:
            values = values[:FACTOR]
        elif large and len(values) == MANY and sizes.values[name] > values[-1]:
            values = range(sizes.values[name], sizes.values[name] + MANY)
        domains[own] = values
        if own != name:
            back[own], multiples[name] = Expr.of(name) / below, below
    return Letters(domains, found, back, multiples)


def _rounded(x: Expr) -> Iterator[tuple[Monomial, Number]]:
    """The terms of everything that is rounded in an expression: d_model/h of ⌊d_model/h⌋."""
    for monomial in x.terms:
        for factor, _ in monomial:
            if isinstance(factor, Atom):
                for arg in factor.args:
                    if factor.function in ("floor", "ceil"):
                        yield from arg.terms.items()
                    yield from _rounded(arg)


def _divisors(name: str, quotients: Iterable[tuple[Monomial, Number]], free: list[str]) -> Iterator[Expr]:
    """What a letter must be a multiple of for the quotients to be whole: of d_model/(2·h), 2·h."""
    for monomial, number in quotients:
        above = [factor for factor, power in monomial if power > 0]
        below = Expr({tuple((factor, -power) for factor, power in monomial if power < 0): Fraction(number).denominator})
        if above == [name] and below != 1 and below.names <= {*free}:
            yield below


def _largest(divisors: Iterator[Expr]) -> list[Expr]:
    """Those that divide none of the others."""
    every = list(dict.fromkeys(divisors))
    return [one for one in every if not any(other != one and _divides(one, other) for other in every)]


def _divides(one: Expr, other: Expr) -> bool:
    return all(
        coefficient.denominator == 1 and all(power > 0 for _, power in monomial)
        for monomial, coefficient in (other / one).terms.items()
    )


def _height(name: str, divisors: Mapping[str, list[Expr]], depth: int = 0) -> int:
    """How long the chain of letters is that divide it. Raises SizeError for letters that divide each other."""
    if depth > len(divisors):
        raise SizeError(f"{name} and others must divide each other")
    below = {letter for divisor in divisors[name] for letter in divisor.names}
    return 1 + max((_height(letter, divisors, depth + 1) for letter in below), default=0)


def _domain(name: str, sizes: Sizes, plan: Blueprint, free: list[str], step: int = 1, depth: int = 0) -> Domain:
    """The values of a letter, in steps, within the conditions: few where loops run over it.

    Where it must not be below another letter, it is at least what that is at most.
    """
    least, most = 1, None
    for condition in sizes.conditions:
        left, right = condition.left, condition.right
        if left is None or right is None or condition.sign not in "≥>≤<":
            continue
        more, less = (left, right) if condition.sign in "≥>" else (right, left)
        strict = int(condition.sign in "<>")
        if str(more) == name and less.is_constant:
            least = max(least, int(less.at()) + strict)
        elif str(more) == name and str(less) in free and depth < len(free):
            least = max(least, _domain(str(less), sizes, plan, free, 1, depth + 1)[-1] + strict)
        elif str(less) == name and more.is_constant:
            most = int(more.at()) - strict
    looped = name in plan.settled or DEPTH.search(name)
    least = -(-least // step)
    end = least + (FEW if looped else MANY)
    return range(least, end if most is None else min(end, most // step + 1))
