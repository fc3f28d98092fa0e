"""Checks for test suites: what a module returns and costs, failing with a difference that can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shapeviz import analyses, budget
from shapeviz.errors import InputError, ShapevizError, TraceError, nearest
from shapeviz.expr import Expr
from shapeviz.expr import parse as formulas
from shapeviz.ir import Model, Shape, Sizes, Tensor
from shapeviz.quantity import counted
from shapeviz.report import Report, measure
from shapeviz.tracing import trace
from shapeviz.tracing.specs import TensorSpec, names, parse
from shapeviz.wording import exact

__all__ = ["check"]


def check(
    module: Any,
    *inputs: Any,
    returns: Any = None,
    params: int | None = None,
    max_params: int | str | None = None,
    flops: str | int | Expr | None = None,
    max_flops: int | str | None = None,
    max_memory: int | str | None = None,
    sizes: Mapping[str, int] | None = None,
    **named_inputs: Any,
) -> Report:
    """The report of a module that is what it is said to be; inputs and further options are those of `shapeviz.trace`.

    returns: the spec of its output; a tuple of specs for all its outputs, a dict for those that it names.
    params: how many parameters it has. max_params: how many at most, a number or a text such as "8M" or "1.5B".
    flops: what it costs, a formula in its dimensions such as "2*B*S*512*64", equal for all sizes.
    max_flops: what it costs at most at the given `sizes`, a number or a text such as "2.5T". max_memory: the bytes of a
    training step without its optimizer (parameters, gradients, what is saved for backward), such as "1GiB"; and
    max_COLUMN of any other column: max_saved, max_weights, max_largest, max_bytes_moved.

    Raises AssertionError with everything that differs, or with what made the trace fail, and InputError or SizeError
    for a wrong call.

    >>> import torch
    >>> report = check(torch.nn.Linear(512, 64), "float32[B,S,512]", returns="float32[B,S,64]", flops="2*B*S*512*64")
    >>> check(torch.nn.Linear(512, 64), "float32[B,S,512]", max_params="32k")
    Traceback (most recent call last):
    AssertionError: Linear is not as expected
      parameters: 32,832, more than 32,000
    """
    __tracebackhide__ = True
    wanted = _read(returns, "returns")
    budgets = _budgets({"params": max_params, "flops": max_flops, "memory": max_memory}, named_inputs)
    number = counted(params, "params")
    formula = None if flops is None else _formula(flops)
    keys: list[str] = []
    try:
        with _watched(module, keys):
            saves: dict[str, Any] = {"saved": True} if "saved" in budget.columns(budgets) else {}
            model = trace(module, *inputs, sizes=sizes, **saves, **named_inputs)
    except TraceError as error:
        name = getattr(module, "__name__", type(module).__name__)
        raise AssertionError(f"{name} cannot be traced\n  {error}") from error
    report = measure(model, dict.fromkeys((*model.columns, *budget.columns(budgets))))
    expected = {name: value for name, value in (("returns", wanted), ("flops", formula)) if value is not None}
    for name, value in expected.items():
        _check_names(name, value, report)
    missing = [name for name in report.sizes.names if name not in {**(sizes or {}), **report.sizes.fixed}]
    for name in budgets:
        if any(report.total[column].names & {*missing} for column in budget.columns([name])):
            given = ", ".join(f"{size!r}: …" for size in missing)
            raise InputError(f"max_{name} holds at some sizes only: give sizes={{{given}}}")
    differences = [
        *(_outputs(model, wanted, keys) if wanted is not None else ()),
        *_params(report, number, budgets.pop("params", None)),
        *_flops(report, formula, budgets.pop("flops", None)),
        *_others(report, budgets),
    ]
    if differences:
        raise AssertionError("\n  ".join([f"{report.name} is not as expected", *differences]))
    return report


# outputs


def _outputs(model: Model, wanted: Any, keys: list[str]) -> Iterator[str]:
    """What differs between the outputs and their specs."""
    tensors = [model.root.output, *model.root.others]
    if len(keys) != len(tensors):
        keys = [str(i) for i in range(len(tensors))] if len(tensors) > 1 else [""]
    by_key, specs = dict(zip(keys, tensors, strict=True)), dict(_flat(wanted, ""))
    if not specs.keys() <= by_key.keys() or not (isinstance(wanted, dict) or len(specs) == len(by_key)):
        texts = [{key: _spec(x) for key, x in by_key.items()}, {key: str(spec) for key, spec in specs.items()}]
        returned, expected = (", ".join(f"{key} {spec}".strip() for key, spec in each.items()) for each in texts)
        yield f"it returns {returned}, expected {expected or 'nothing'}"
        return
    for key, spec in specs.items():
        yield from _output(f"output {key}".strip(), by_key[key], spec, _own(model.sizes))


def _output(label: str, tensor: Tensor, wanted: TensorSpec, own: Mapping[str, int]) -> Iterator[str]:
    """Both specs, one under the other, and marks under what differs."""
    axes = range(max(len(tensor.shape), len(wanted.dims)))
    wrong = [i for i in axes if not _same_axis(tensor.shape, wanted.dims, i, own)]
    if not wrong and tensor.dtype == wanted.dtype:
        return
    reasons = [f"dtype {tensor.dtype}, expected {wanted.dtype}"] * (tensor.dtype != wanted.dtype)
    if len(tensor.shape) != len(wanted.dims):
        reasons.append(f"{len(tensor.shape)} axes, expected {len(wanted.dims)}")
        wrong = []
    reasons += [f"axis {i} is {_valued(tensor.shape[i], own)}, expected {_valued(wanted.dims[i], own)}" for i in wrong]
    yield f"{label}: {'; '.join(reasons)}"
    texts = [[dtype, *map(str, dims)] for dtype, dims in ((tensor.dtype, tensor.shape), (wanted.dtype, wanted.dims))]
    widths = [max(len(row[i]) for row in texts if i < len(row)) for i in range(max(map(len, texts)))]
    for name, row in zip(("returned", "expected"), texts, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield f"  {name}  {cells[0]} [{', '.join(cells[1:])}]"
    marked = {i + 1 for i in wrong} | ({0} if tensor.dtype != wanted.dtype else set())
    if marked:
        marks = [("^" if i in marked else " ") * width for i, width in enumerate(widths)]
        yield f"  {'':8}  {marks[0]}  {'  '.join(marks[1:])}".rstrip()


def _same_axis(shape: Shape, wanted: Shape, i: int, own: Mapping[str, int]) -> bool:
    return i < min(len(shape), len(wanted)) and shape[i].subs(own) == wanted[i].subs(own)


def _valued(size: Expr, own: Mapping[str, int]) -> str:
    """`512`, or `d_model = 512` for a number of the module that has a name."""
    return f"{size} = {size.at(own)}" if size.names and size.names <= own.keys() else str(size)


def _own(sizes: Sizes) -> dict[str, int]:
    """The numbers of the module and of the trace itself, which an expectation may write by name or not."""
    return {name: sizes.numbers[name] for name in (*sizes.fixed, *sizes.pinned)}


def _spec(tensor: Tensor) -> str:
    return str(TensorSpec(tensor.dtype, tensor.shape))


def _flat(wanted: Any, path: str) -> Iterator[tuple[str, TensorSpec]]:
    """Every spec under its place in the output: `logits`, `0`, `states.1`."""
    match wanted:
        case TensorSpec():
            yield path, wanted
        case dict() | tuple() | list():
            pairs = wanted.items() if isinstance(wanted, dict) else enumerate(wanted)
            for key, part in pairs:
                yield from _flat(part, f"{path}.{key}" if path else str(key))


def _places(value: object, path: str) -> Iterator[str]:
    """The place of every tensor of an output, in the order in which they are traced."""
    if hasattr(value, "untyped_storage"):
        yield path
    elif isinstance(value, Mapping | tuple | list):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in pairs:
            yield from _places(part, f"{path}.{key}" if path else str(key))


@contextmanager
def _watched(module: Any, keys: list[str]) -> Iterator[None]:
    """Notes the places of the outputs when the module is called."""
    if isinstance(module, type) or not hasattr(module, "register_forward_hook"):
        yield
        return

    def note(_: Any, __: Any, output: Any) -> None:
        keys[:] = _places(output, "")

    hook = module.register_forward_hook(note)
    try:
        yield
    finally:
        hook.remove()


# costs


def _params(report: Report, exact: int | None, most: int | None) -> Iterator[str]:
    total = report.total["params"].value
    if exact is not None and total != exact:
        parts = [(row.name, cell.in_model) for row in report.children() if (cell := row.cells["params"]).each.terms]
        difference = f"{abs(total - exact):,} too {'many' if total > exact else 'few'}"
        yield f"parameters: {total:,}, expected {exact:,}: {difference}"
        yield from (f"  {name}: {count:,}" for name, count in parts if len(parts) > 1)
    if most is not None and total > most:
        yield f"parameters: {total:,}, more than {most:,}"


def _flops(report: Report, formula: Expr | None, most: int | None) -> Iterator[str]:
    total = report.total["flops"]
    if (formula is not None or most is not None) and "flops" in report.not_counted:
        yield f"FLOPs: not all can be counted: {'; '.join(report.reasons.values())}"
        return
    own = _own(report.sizes)
    if formula is not None and (rest := (total - formula).subs(own)) != 0:
        yield f"FLOPs: {total}, expected {formula}"
        yield f"  the difference is {rest}"
    elif formula is not None and (report.sizes.conditions or report.sizes.pinned):
        yield from _doubled(report, formula)
    if most is not None and total.value > most:
        at = ", ".join(f"{name} = {size}" for name, size in report.sizes.numbers.items() if name in total.names)
        yield f"FLOPs: {total.value:,}, more than {most:,}" + (f", at {at}" if at else "")


def _doubled(report: Report, formula: Expr) -> Iterator[str]:
    """What differs at twice all sizes, where the module may take other branches than the trace did."""
    sizes = report.sizes
    point = {name: 2 * size for name, size in sizes.values.items() if name not in sizes.fixed}
    try:
        found = report.total["flops"].at(point)
    except ShapevizError:  # the module has no answer there
        return
    if found != (expected := formula.at({**sizes.numbers, **point})):
        at = ", ".join(f"{name} = {size}" for name, size in point.items())
        yield f"FLOPs: {formula} is {expected:,} at {at}, where the module has {found:,}"


def _others(report: Report, most: Mapping[str, int]) -> Iterator[str]:
    at = ", ".join(f"{name} = {size}" for name, size in report.sizes.numbers.items())
    for excess in budget.exceeded(report, most):
        yield f"{excess.what}: {exact(excess.value)}, more than {excess.budget:,}" + (f", at {at}" if at else "")
    for column in set(budget.columns(most)) & report.not_counted.keys():
        yield f"{column}: not all can be counted: {'; '.join(report.reasons.values())}"


# what is asked


def _budgets(given: Mapping[str, Any], inputs: dict[str, Any]) -> dict[str, int]:
    """The budgets that are given, by column; those of other columns, max_saved="1GiB", are taken out of the inputs."""
    most = {name: counted(amount, f"max_{name}") for name, amount in given.items()}
    columns = [*analyses.names(), *budget.TOGETHER]
    for label in [label for label in inputs if label.startswith("max_")]:
        if label[4:] in columns:
            most[label[4:]] = counted(inputs.pop(label), label)
    return {name: number for name, number in most.items() if number is not None}


def _read(wanted: Any, label: str) -> Any:
    """Texts as the specs that they are, within tuples, lists and dicts."""
    match wanted:
        case None | TensorSpec():
            return wanted
        case str():
            return _read(parse(wanted), label)
        case dict():
            return {key: _read(part, f"{label}[{key!r}]") for key, part in wanted.items()}
        case tuple() | list():
            return tuple(_read(part, f"{label}[{i}]") for i, part in enumerate(wanted))
    raise InputError(f"{label}: a spec such as float32[B,S,512] is needed, or a tuple or dict of them, not {wanted!r}")


def _formula(text: str | int | Expr) -> Expr:
    """A formula from its text, in Python's signs or as shapeviz prints it: `2*B*S**2`, `2·B·S²`, `⌊H/2⌋`."""
    if isinstance(text, Expr) or (isinstance(text, int) and not isinstance(text, bool)):
        return Expr.of(text)
    if not isinstance(text, str):
        raise InputError(f"flops={text!r}: a formula such as '2*B*S*512*64' or a whole number is needed")
    try:
        return formulas.parse(text)
    except InputError as error:
        raise InputError(f"formula {text[:200]!r}: {error}; for example 2*B*S*512*64") from None


def _check_names(label: str, formula: Any, report: Report) -> None:
    """Refuses a dimension that the trace does not know."""
    dimensions = [*report.sizes.names, *report.reasons]
    for name in formula.names if isinstance(formula, Expr) else names(formula):
        if name not in dimensions:
            raise InputError(f"{label}: no input has a dimension {name}; {nearest(name, dimensions)}")
