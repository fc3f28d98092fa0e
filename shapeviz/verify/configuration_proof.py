"""The proof of a configuration's model: against that of transformers on the meta device, counted, run symbolically."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from torch import nn

from shapeviz.errors import ShapevizError
from shapeviz.expr import Expr
from shapeviz.ir import Model, Origin
from shapeviz.report import Check, Report, measure
from shapeviz.verify.recurrent import is_recurrent, unrolled
from shapeviz.verify.trace_proof import COUNTER, UncountedError, observe
from shapeviz.verify.twin import LENGTHS, module_of, twin_of_configuration


def prove(model: Model, origin: Origin) -> tuple[Check, ...]:
    """Parameters of every top module and in all, buffers, and FLOPs as a polynomial in the batch and the lengths.

    Raises InputError for a class that transformers does not have, MissingToolError if it is not installed.
    """
    module = module_of(model, origin)
    by = getattr(module, "made_of", "transformers") + f", {type(module).__name__}"
    report = measure(model, ["params", "flops", "buffers"])
    checks = list(_modules(origin.modules, report, module, by))
    checks.append(
        Check("model", "params", report.total["params"].value, _count(module), by, "unique nn.Parameter elements")
    )
    checks.append(
        Check("model", "buffers", report.total["buffers"].value, _buffers(module), by, "stored in a checkpoint")
    )
    return (*checks, _flops(model, report, module))


def _modules(places: Mapping[str, str], report: Report, module: nn.Module, by: str) -> Iterator[Check]:
    """Every part of the implementation that our paths make up; one that it has not cannot be compared."""
    parts: dict[str, list[str]] = {}
    for path, name in places.items():
        parts.setdefault(name, []).append(path)
    for name, paths in parts.items():
        rows = [row for row in report.rows if any(_matches(row.path, path) for path in paths)]
        part, where = _part(module, name), ", ".join(row.path for row in rows)
        ours = sum(row.cells["params"].in_model for row in rows)
        if not rows or (part is None and not ours):
            continue
        if part is None:
            yield Check(where, "params", ours, None, by, f"it has no {name}")
        else:
            theirs = sum(w.numel() for n, w in module.named_parameters() if n.startswith(f"{part}."))
            yield Check(where, "params", ours, theirs, by)


def _matches(path: str, pattern: str) -> bool:
    return fnmatch(path, pattern) and path.count(".") == pattern.count(".")


def _part(module: nn.Module, name: str) -> str | None:
    """The full name of a part, of the base model or of the whole; None if this class has none."""
    known = {place for place, _ in module.named_modules()}
    prefix = getattr(module, "base_model_prefix", "")
    return next((place for place in (f"{prefix}.{name}", name) if place in known), None)


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _buffers(module: nn.Module) -> int:
    return sum(
        tensor.numel()
        for part in module.modules()
        for name, tensor in part._buffers.items()
        if tensor is not None and name not in part._non_persistent_buffers_set
    )


def _flops(model: Model, report: Report, module: nn.Module) -> Check:
    """Ours with the numbers of the architecture put in, and what the traced module costs."""
    numbers: Mapping[str, int] = {n: size for n, size in model.sizes.numbers.items() if n not in LENGTHS}
    ours = report.total["flops"].subs(numbers)
    if is_recurrent(model.root):
        return unrolled(report.total["flops"].expression.subs(numbers), module)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = twin_of_configuration(model, module, for_all=True)
            theirs, by = _counted(traced)
    except (ShapevizError, UncountedError) as error:
        why = f"not comparable: {error}".splitlines()[0]
        return Check("model", "flops", ours, None, "trace", why, explained=True)
    theirs = theirs.subs({n: size for n, size in traced.sizes.numbers.items() if n not in LENGTHS})
    if ours == theirs:
        return Check("model", "flops", ours, theirs, by, "equal as polynomials")
    if settled := ours.names - theirs.names:  # which token is last depends on the data, so the trace took these sizes
        sizes = {name: traced.sizes.numbers[name] for name in sorted(settled)}
        at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        return Check("model", "flops", ours.subs(sizes), theirs, by, f"at {at}")
    return Check("model", "flops", ours, theirs, by)


def _counted(traced: Model) -> tuple[Expr, str]:
    """FLOPs by torch's own counter, symbolic; by our trace where that counter cannot run the module."""
    assert traced.origin is not None
    try:
        return observe(traced.origin.trace).flops[""], COUNTER
    except Exception:  # an operation without symbolic sizes, or a branch on them
        return measure(traced, ["flops"]).total["flops"].expression, "trace of the module"
