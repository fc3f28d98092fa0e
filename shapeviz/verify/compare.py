"""Formula against PyTorch: for every row of the walk, at several sizes, one check for each quantity."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import Block, Model, Node, Shape
from shapeviz.models.transformer import Config
from shapeviz.report import Check, Report, Row, measure
from shapeviz.verify.measure import Run, RunError, construct, example, parameters, run
from shapeviz.verify.points import Point, points, shallow
from shapeviz.verify.totals import total_checks
from shapeviz.verify.trial import trial

MEASURED_BY = {
    "params": "PyTorch", "inputs": "forward hook", "shape": "forward hook", "flops": "FlopCounterMode"
}  # fmt: skip


@dataclass(frozen=True)
class Observation:
    """What PyTorch says at one point: of every row, by its symbolic path, the submodules that are its instances."""

    point: Point
    sizes: Mapping[str, Any]
    params: Mapping[str, int]
    run: Run
    instances: Mapping[str, list[str]]


def compare(model: Model, config: Config) -> tuple[Check, ...]:
    """All checks of a model that was built from a configuration."""
    report = measure(model)
    where = points(model, config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = (*block_checks(model, report, where), *total_checks(report, where), *trial(model, report, config))
    return (*checks, _coverage(model, report, checks))


def block_checks(model: Model, report: Report, where: list[Point]) -> list[Check]:
    """Parameters, shapes and FLOPs of every block, the shape of every step, and whether both sides have the same."""
    seen, checks = _observe(model, where)
    if not seen:
        return checks
    nodes = {path: node for path, node in _nodes(model.root) if not _why_not(node, model)}
    for path, node in nodes.items():
        checks += _of_node(path, node, report, seen)
    extra = [path for path in seen[0].instances if path and path not in nodes]
    return checks + [Check(path, "block", "no block", "a submodule", "PyTorch") for path in extra]


def _coverage(model: Model, report: Report, checks: tuple[Check, ...]) -> Check:
    """How many rows were compared of those that can be, and which cannot."""
    reasons = {path: reason for path, node in _nodes(model.root) if (reason := _why_not(node, model))}
    compared = {check.path for check in checks if check.quantity in MEASURED_BY} - {"model"}
    left_out = "; ".join(f"{path} ({reason})" for path, reason in reasons.items())
    note = f"of {len(report.rows)}; not compared: {left_out}" if left_out else "all"
    return Check("model", "rows compared", len(report.rows) - len(reasons), len(compared), "PyTorch", note)


def _observe(model: Model, where: list[Point]) -> tuple[list[Observation], list[Check]]:
    """An observation for every point, and a failed check for every point at which PyTorch raises."""
    modules: dict[Config, nn.Module] = {}
    seen, failures = [], []
    for point in where:
        config = shallow(point.config)
        try:
            module = modules[config] = modules.get(config) or construct(config)
            watched = run(module, example(point.lengths, point.batch, config.d_model, config.vocab))
        except RunError as error:
            failures.append(
                Check(symbolic(error.path) or "model", "forward", "runs", str(error), "PyTorch", str(point))
            )
            continue
        depths = {name: n for name, n in (("N_enc", config.enc), ("N_dec", config.dec)) if n}
        sizes = model.sizes.resolve(**{**point.sizes, **depths})
        seen.append(Observation(point, sizes, parameters(module), watched, _instances(module)))
    return seen, failures


def _of_node(path: str, node: Node, report: Report, seen: list[Observation]) -> Iterator[Check]:
    """Every quantity of a block; of a step its shape alone, for its FLOPs are in those of its block."""
    if any(path not in one.instances for one in seen):
        yield Check(path, "block", "a submodule", "none", "PyTorch")
        return
    row = report.row(path)
    for quantity, by in MEASURED_BY.items():
        if quantity == "shape" or (isinstance(node, Block) and (quantity != "inputs" or node.kind == "attention")):
            yield _agree(path, quantity, by, [_expected(quantity, node, row, one.sizes) for one in seen], seen)


def _agree(path: str, quantity: str, by: str, expected: list[Any], seen: list[Observation]) -> Check:
    """One check of all points and instances; if any disagrees, it shows the first that does."""
    for formula, one in zip(expected, seen, strict=True):
        for place in one.instances[path]:
            if (value := _found(quantity, one, place)) != formula:
                return Check(path, quantity, formula, value, by, f"in {place} at {one.point}{_cut(one)}")
    alike = len(seen[0].instances[path])
    note = "equal at " + "; ".join(str(one.point) for one in seen) + _cut(seen[0])
    return Check(path, quantity, expected[0], expected[0], by, note + f"; {alike} instances alike" * (alike > 1))


def _expected(quantity: str, node: Node, row: Row, sizes: Mapping[str, Any]) -> Any:
    """What the formulas say of a block or step at these sizes."""
    match quantity:
        case "inputs":
            return tuple(_shape(tensor.shape, sizes) for tensor in node.inputs)
        case "shape":
            return _shape(row.dims, sizes)
    return _value(row.cells[quantity], sizes)


def _found(quantity: str, one: Observation, place: str) -> Any:
    """What PyTorch says of a submodule; None if it did not run."""
    match quantity:
        case "inputs":
            return one.run.inputs.get(place)
        case "shape":
            return one.run.outputs.get(place)
        case "flops":
            return one.run.flops[place]
    return one.params[place]


def _cut(one: Observation) -> str:
    built = shallow(one.point.config)
    return "; 2 layers built in place of more" * (built != one.point.config)


def _nodes(block: Block, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Every row of the walk, a block or a step, with its path, the outer ones first."""
    for child in block.body:
        yield prefix + child.name, child
        if isinstance(child, Block) and not child.step:
            yield from _nodes(child, f"{prefix}{child.name}.")


def _why_not(node: Node, model: Model) -> str:
    """Why a row cannot be compared: an input is given and not computed, a table of unknown size cannot be built."""
    if node.kind == "input":
        return "input"
    weights = (*node.params, *node.tied) if isinstance(node, Block) else ()
    unknown = {name for tensor in (*weights, node.output) for size in tensor.shape for name in size.names}
    return ", ".join(f"{name} not given" for name in sorted(unknown & model.missing.keys()))


def symbolic(place: str) -> str:
    """The path of a submodule without the numbers of its instances.

    >>> symbolic("encoder.layer.0.self_attention")
    'encoder.layer.self_attention'
    """
    return ".".join(name for name in place.split(".") if not name.isdigit())


def _instances(module: nn.Module) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, submodule in module.named_modules():
        if not isinstance(submodule, nn.ModuleList):
            found.setdefault(symbolic(place), []).append(place)
    return found


def _value(cell: Expr, sizes: Mapping[str, Any]) -> Any:
    return Expr.at(cell, sizes)  # not the cell's own `at`, which would derive what is given here


def _shape(shape: Shape, sizes: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(_value(size, sizes) for size in shape)
