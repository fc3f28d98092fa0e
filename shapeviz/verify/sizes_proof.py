"""The proof of a model built from sizes: for every row, one check for each quantity, for all batches and lengths."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache

from shapeviz.expr import Expr
from shapeviz.ir import Block, Model, Node
from shapeviz.models.transformer import Config
from shapeviz.report import Check, Report, Row, measure
from shapeviz.verify.cases import Case, Polynomials, agreement, as_run, cases_of, disagreement
from shapeviz.verify.forward_pass import RunError
from shapeviz.verify.observation import Observation, observe, without_numbers
from shapeviz.verify.totals import total_checks
from shapeviz.verify.trial import trial

MEASURED_BY = {
    "params": "PyTorch", "inputs": "forward hook", "shape": "forward hook", "flops": "FlopCounterMode"
}  # fmt: skip
CUT = "; 2 layers run in place of more"
Seen = list[tuple[Case, Observation]]


def prove(model: Model, config: Config) -> tuple[Check, ...]:
    """All checks of a model that was built from a configuration."""
    report, cases, watch = measure(model), cases_of(model, config), cache(observe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        blocks = block_checks(model, report, cases, watch)
        totals = total_checks(model, report, config, cases, watch)
        checks = (*blocks, *totals, *trial(model, report, config))
    return (*checks, _coverage(model, report, checks))


def block_checks(
    model: Model, report: Report, cases: list[Case], watch: Callable[[Config], Observation] = observe
) -> list[Check]:
    """Parameters, shapes and FLOPs of every block, the shape of every step, and whether both sides have the same."""
    seen, checks = _observe(model, cases, watch)
    if not seen:
        return checks
    nodes = {path: node for path, node in _nodes(model.root) if not _why_not(node, model)}
    for path, node in nodes.items():
        checks += _of_node(path, node, report, seen)
    extra = [path for path in seen[0][1].instances if path and path not in nodes]
    return checks + [Check(path, "block", "no block", "a submodule", "PyTorch") for path in extra]


def _coverage(model: Model, report: Report, checks: tuple[Check, ...]) -> Check:
    """How many rows were compared of those that can be, and which cannot."""
    reasons = {path: reason for path, node in _nodes(model.root) if (reason := _why_not(node, model))}
    compared = {check.path for check in checks if check.quantity in MEASURED_BY} - {"model"}
    left_out = "; ".join(f"{path} ({reason})" for path, reason in reasons.items())
    note = f"of {len(report.rows)}; not compared: {left_out}" if left_out else "all"
    return Check("model", "rows compared", len(report.rows) - len(reasons), len(compared), "PyTorch", note)


def _observe(model: Model, cases: list[Case], watch: Callable[[Config], Observation]) -> tuple[Seen, list[Check]]:
    """What PyTorch says in every case, and a failed check for every case in which it raises."""
    seen, failures = [], []
    for case in (as_run(model, whole) for whole in cases):
        try:
            seen.append((case, watch(case.config)))
        except RunError as error:
            path = without_numbers(error.path) or "model"
            failures.append(Check(path, "forward", "runs", str(error), "PyTorch", f"with {case.label}"))
    return seen, failures


def _of_node(path: str, node: Node, report: Report, seen: Seen) -> Iterator[Check]:
    """Every quantity of a block; of a step its shape alone, for its FLOPs are in those of its block."""
    if any(path not in observed.instances for _, observed in seen):
        yield Check(path, "block", "a submodule", "none", "PyTorch")
        return
    for quantity in MEASURED_BY:
        if quantity == "shape" or (isinstance(node, Block) and (quantity != "inputs" or node.kind == "attention")):
            yield _agree(path, quantity, _expected(quantity, node, report.row(path)), seen)


def _agree(path: str, quantity: str, formula: Polynomials, seen: Seen) -> Check:
    """One check of all cases and instances; if any disagrees, it shows the first that does."""
    by = MEASURED_BY[quantity]
    for case, observed in seen:
        ours = case.formula(formula)
        for place in observed.instances[path]:
            if (theirs := _measured(quantity, observed, place)) != ours:
                return disagreement(path, quantity, by, ours, theirs, case, f"; in {place}{CUT * case.cut}")
    alike = len(seen[0][1].instances[path])
    note = CUT * seen[0][0].cut + f"; {alike} instances alike" * (alike > 1)
    return agreement(path, quantity, by, formula, [case for case, _ in seen], note)


def _expected(quantity: str, node: Node, row: Row) -> Polynomials:
    """The formulas of a block or step."""
    match quantity:
        case "inputs":
            return tuple(tensor.shape for tensor in node.inputs)
        case "shape":
            return row.dims
    return row.cells[quantity].each.expression


def _measured(quantity: str, observed: Observation, place: str) -> Polynomials | None:
    """What PyTorch says of a submodule; None if it did not run."""
    match quantity:
        case "inputs":
            return observed.inputs.get(place)
        case "shape":
            return observed.outputs.get(place)
        case "flops":
            return observed.flops[place]
    return Expr.of(observed.params[place])


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
