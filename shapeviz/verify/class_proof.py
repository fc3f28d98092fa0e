"""The proof of a class with letters: its formulas against fresh instances with numbers.

The formulas come from one run with symbols. Here the class is built with plain numbers, and PyTorch counts: parameters
at every point that is drawn at random, and as the polynomial that is interpolated from further ones
(`class_interpolation`); FLOPs by torch's own counter at some of the points. A polynomial that is not the right one
meets the right one at a random point with a chance of at most its degree over the number of values (Schwartz 1980,
lemma 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from torch import nn

from shapeviz.errors import ShapevizError
from shapeviz.expr import Expr
from shapeviz.ir import Model, Sizes
from shapeviz.report import Check, measure
from shapeviz.tracing.blueprint import Blueprint
from shapeviz.tracing.passes import Setting
from shapeviz.tracing.trace_request import TraceRequest, prepared
from shapeviz.tracing.traced_model import Traced
from shapeviz.verify import class_interpolation
from shapeviz.verify.trace_proof import COUNTER, UncountedError, observe

POINTS, COUNTED = 25, 3  # sizes at which parameters are compared, and FLOPs
TRIES = 40  # draws for each point: most are refused by the class, or break a condition
LARGEST = 24  # of a letter that is drawn; one that others divide is a multiple of theirs


def prove(model: Model, traced: Traced) -> tuple[Check, ...]:
    """Parameters and forward FLOPs of the whole at random sizes that the class takes, parameters as a polynomial too.

    A check that fails names the sizes, or the first term that differs and the modules that it is from. Where the class
    takes none of the sizes that were drawn, it says so.
    """
    request = traced.setting.request
    plan = request.blueprint
    assert plan is not None
    points = list(_points(model, plan))
    report = measure(model, ["params", "flops"])
    if not points:
        note = "not comparable: the class took none of the sizes that were drawn at random"
        return (Check("model", "params", str(report.total["params"]), None, "PyTorch", note, explained=True),)
    checks = [_parameters(report.total["params"].expression, model, plan, points)]
    if request.runs:
        checks.append(_flops(report.total["flops"].expression, model, request, points[:COUNTED]))
    return tuple(checks)


Instance = tuple[dict[str, int], nn.Module]


def _points(model: Model, plan: Blueprint) -> Iterator[Instance]:
    """Sizes at which every condition holds and the class can be built, each with the module."""
    random, found = Random(0), 0
    for _ in range(POINTS * TRIES):
        sizes = _drawn(model.sizes, plan, random)
        try:
            model.sizes.resolve(**sizes)
            module = plan.instance({**plan.sizes, **plan.hints, **sizes})
        except Exception:  # sizes that break a condition, or that the class refuses in words of its own
            continue
        yield sizes, module
        found += 1
        if found == POINTS:
            return


def _drawn(sizes: Sizes, plan: Blueprint, random: Random) -> dict[str, int]:
    """Random sizes for the letters, those that must be multiples of others made so."""
    drawn = {name: random.randint(1, LARGEST) for name in plan.letters if name in sizes.names}
    drawn |= {name: sizes.values[name] for name in sizes.pinned if name in drawn}
    for condition in sizes.conditions:
        left, right = condition.left, condition.right
        if (
            condition.sign == "≥"
            and left is not None
            and right is not None
            and right.is_constant
            and str(left) in drawn
        ):
            drawn[str(left)] = max(drawn[str(left)], int(right.at()))
        if condition.sign != "=" or right is None or len(right.terms) != 1:
            continue
        ((monomial, _),) = right.terms.items()
        above = [factor for factor, power in monomial if power == 1 and isinstance(factor, str)]
        if len(above) == 1 and above[0] in drawn and above[0] not in sizes.pinned:
            below = Expr.of(above[0]) / right
            if below.names <= drawn.keys():
                drawn[above[0]] = int(below.at(drawn)) * random.randint(1, LARGEST)
    return drawn


def _parameters(formula: Expr, model: Model, plan: Blueprint, points: list[Instance]) -> Check:
    differs = None
    for sizes, module in points:
        counted = sum(weight.numel() for weight in {id(w): w for w in module.parameters()}.values())
        ours = int(formula.at(model.sizes.resolve(**sizes)))
        if ours != counted:
            differs = Check("model", "params", ours, counted, "PyTorch", f"{formula} at {_shown(sizes)}")
            break
    drawn = f"at {len(points)} sizes drawn at random"
    try:
        found = class_interpolation.parameters(model, plan, formula)
    except Exception as error:  # no polynomial, too many instances, a condition broken, the class's own words
        reason = str(error).partition("\n")[0] or type(error).__name__
        return differs or Check(
            "model", "params", str(formula), str(formula), "PyTorch", f"{drawn} alone, not interpolated: {reason}"
        )
    if differs and found.equal:
        return differs
    note = f"{found.note}; {drawn}" if found.equal else found.note
    return Check("model", "params", str(formula), str(formula if found.equal else found.formula), "PyTorch", note)


def _flops(formula: Expr, model: Model, request: TraceRequest, points: list[Instance]) -> Check:
    """The FLOPs of a forward pass, as polynomials in the dimensions of the inputs at each of the points."""
    compared, why = 0, ""
    for sizes, module in points:
        dimensions = {name: model.sizes.values[name] for name in model.sizes.values if name not in request.letters}
        try:
            found = _counted(
                request, module, {name: n for name, n in dimensions.items() if name in request.sizes}, sizes
            )
        except (ShapevizError, UncountedError, RuntimeError, ValueError) as error:
            why = why or str(error).partition("\n")[0]
            continue
        ours, _ = formula.subs(sizes).split(dimensions)
        compared += 1
        if ours != found:
            return Check("model", "flops", str(ours), str(found), COUNTER, f"{formula} at {_shown(sizes)}")
    if not compared:
        return Check("model", "flops", str(formula), None, COUNTER, f"not comparable: {why}", explained=True)
    return Check("model", "flops", str(formula), str(formula), COUNTER, f"at {compared} sizes drawn at random")


def _counted(request: TraceRequest, module: nn.Module, dimensions: Mapping[str, int], sizes: Mapping[str, int]) -> Expr:
    plain: Any = replace(request, module=module, blueprint=None, sizes=dimensions)
    numbers = _numbered(plain, sizes)
    return observe(Traced(Setting(prepared(numbers)), {})).flops[""]


def _numbered(request: TraceRequest, sizes: Mapping[str, int]) -> TraceRequest:
    """The request with numbers for the letters of the class that its inputs have in their shapes."""
    from shapeviz.tracing.specs import TensorSpec

    def numbered(value: Any) -> Any:
        match value:
            case TensorSpec(dtype, dims):
                return TensorSpec(dtype, tuple(dim.subs(sizes) for dim in dims))
            case dict():
                return {key: numbered(item) for key, item in value.items()}
            case list():
                return [numbered(item) for item in value]
            case tuple() if not hasattr(value, "_fields"):
                return tuple(map(numbered, value))
        return value

    return replace(request, args=numbered(request.args), kwargs=numbered(dict(request.kwargs)))


def _shown(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())
