"""What is compared, and how an answer is shown: formulas at one configuration's widths, polynomials in B, S, T."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from shapeviz.expr import Expr
from shapeviz.ir import Model
from shapeviz.models.transformer import Config
from shapeviz.report import Check
from shapeviz.verify.sizes import SYMBOLIC_DEPTH, VARIABLES, overrides, shallow, shrink, variables, with_room

Polynomials: TypeAlias = "Expr | tuple[Polynomials, ...]"  # a count, a shape, or the shapes of several inputs


@dataclass(frozen=True)
class Case:
    """A configuration and every number that its symbols stand for; `cut` if it stands for one that is deeper."""

    label: str
    config: Config
    sizes: Mapping[str, Any]
    cut: bool = False

    def formula(self, formula: Polynomials) -> Polynomials:
        """The model's formulas with the numbers of this case put in, B, S, T left."""
        if isinstance(formula, tuple):
            return tuple(map(self.formula, formula))
        return formula.subs({name: size for name, size in self.sizes.items() if name not in VARIABLES})

    def number(self, polynomials: Polynomials) -> Any:
        """What they come to at the lengths of this case."""
        if isinstance(polynomials, tuple):
            return tuple(map(self.number, polynomials))
        return Expr.at(polynomials, self.sizes)


def cases_of(model: Model, config: Config) -> list[Case]:
    """The model's own widths, and tiny ones of the same variant; the stacks as deep as they are."""
    roomy = with_room(config)
    own = "own widths" + f" (P = {roomy.max_len})" * (roomy != config)
    return [case_of(model, roomy, own), case_of(model, shrink(config), "tiny widths")]


def case_of(model: Model, config: Config, label: str) -> Case:
    """The case of a configuration, whose numbers are derived from it and not by the model's rules."""
    return Case(label, config, model.sizes.resolve(**overrides(model, config)))


def as_run(model: Model, whole: Case) -> Case:
    """The case with two layers in place of a stack that is too deep to run."""
    built = shallow(whole.config, SYMBOLIC_DEPTH)
    return replace(case_of(model, built, whole.label), cut=built != whole.config)


def agreement(path: str, quantity: str, by: str, formula: Polynomials, cases: list[Case], note: str = "") -> Check:
    """A formula that PyTorch confirms in every case, shown as the number that it is in the first."""
    text = "equal" if quantity == "params" else f"equal as polynomials in {', '.join(variables(cases[0].config))}"
    text += f", with {' and '.join(case.label for case in cases)}"
    number = cases[0].number(cases[0].formula(formula))
    return Check(path, quantity, number, number, by, text + note)


def disagreement(
    path: str, quantity: str, by: str, ours: Polynomials, theirs: Polynomials | None, case: Case, note: str = ""
) -> Check:
    """What the formula and PyTorch say of one case: their numbers, or the polynomials where these agree by accident."""
    expected, measured = case.number(ours), None if theirs is None else case.number(theirs)
    differ = f"{_written(ours)} is not {_written(theirs)}"
    if expected == measured:
        expected, measured = _written(ours), _written(theirs)
    return Check(path, quantity, expected, measured, by, f"with {case.label}: {differ}{note}")


def _written(polynomials: Polynomials | None) -> str:
    if isinstance(polynomials, tuple):
        return f"({', '.join(map(_written, polynomials))})"
    return str(polynomials)
