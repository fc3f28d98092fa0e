"""A traced model against torch's own counters: the module runs once more, whole and unfolded, without our eyes.

`FlopCounterMode` counts it with symbolic sizes and attention spelt out, forward hooks tell the shapes; both give
polynomials in the user's dimensions, which are compared with ours as such.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, Block, Model, Op, Shape
from shapeviz.report import Check, Report, Row, measure
from shapeviz.tracing import huggingface
from shapeviz.tracing.borrow import StandIns, lent
from shapeviz.tracing.job import Job
from shapeviz.tracing.recorder import tensors_in
from shapeviz.tracing.session import made
from shapeviz.tracing.symbols import Symbols
from shapeviz.verify.measure import parameters

COUNTER = "FlopCounterMode, symbolic"


class UncountedError(Exception):
    """Torch's counter cannot count the module, or not for all sizes."""


@dataclass
class Seen:
    """What torch says of every submodule, by its path: output shapes, call by call, and FLOPs of all its calls."""

    shapes: dict[str, list[Shape]] = field(default_factory=dict)
    flops: dict[str, Expr] = field(default_factory=dict)


def traced_checks(model: Model, job: Job) -> tuple[Check, ...]:
    """Parameters, output shapes and forward FLOPs of every submodule that ran, and the totals."""
    report = measure(model)
    numbers = {name: report.sizes.numbers[name] for name in report.sizes.fixed}
    blocks = [(block, row) for block, row in _rows(model.root, report, "") if block in job.places]
    checks = list(_parameter_checks(report, blocks, job))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = run(job)
    except Exception as error:
        known = isinstance(error, UncountedError)
        why = f"not comparable: {error if known else f'torch raises {type(error).__name__}: {error}'}".splitlines()[0]
        expected = report.total["flops"].subs(numbers)
        return (*checks, Check("model", "flops", expected, None, COUNTER, why, explained=True))
    calls = Counter(place for block, _ in blocks for place in job.places[block])
    for block, row in blocks:
        checks += _block_checks(block, row, job.places[block], calls, seen, numbers)
    forward, rest = _forward(model.root).subs(numbers).split(report.sizes.names)
    note = "equal as polynomials" * (forward == seen.flops[""])
    note += f"; not counted: {rest}, {'; '.join(report.reasons[n] for n in sorted(rest.names))}" if rest.terms else ""
    return (*checks, Check("model", "flops", forward, seen.flops[""], COUNTER, note))


def _rows(block: Block, report: Report, prefix: str) -> Iterator[tuple[Block, Row]]:
    """Every block that has a row, with it."""
    known = {row.path: row for row in report.rows}
    for child in block.blocks:
        if row := known.get(prefix + child.name):
            yield child, row
            yield from _rows(child, report, f"{prefix}{child.name}.")


def _parameter_checks(report: Report, blocks: list[tuple[Block, Row]], job: Job) -> Iterator[Check]:
    """Of every block none of whose weights is shared with another, and of the whole model."""
    counts = parameters(job.module)
    names = Counter(id(weight) for _, weight in job.module.named_parameters(remove_duplicate=False))
    for block, row in blocks:
        places = dict.fromkeys(job.places[block])
        weights = [weight for place in places for weight in job.module.get_submodule(place).parameters()]
        if places and row.repeat.value and not _ties(block) and not any(names[id(weight)] > 1 for weight in weights):
            yield _one(row.path, "params", row.cells["params"].value, {counts[p] for p in places}, "PyTorch", "")
    total = sum(weight.numel() for weight in job.module.parameters())
    yield Check("model", "params", report.total["params"].value, total, "PyTorch", "unique nn.Parameter elements")


def _ties(block: Block) -> bool:
    """True if the block or one within it uses weights that an earlier one owns."""
    return bool(block.tied) or any(map(_ties, block.blocks))


def _block_checks(
    block: Block, row: Row, places: tuple[str, ...], calls: Counter[str], seen: Seen, numbers: Mapping[str, int]
) -> Iterator[Check]:
    """Of all instances of a block, those that are called nowhere else: their FLOPs, and the shapes they give."""
    mine = [place for place in dict.fromkeys(places) if calls[place] == 1 and len(seen.shapes.get(place, ())) == 1]
    if len(mine) != len(set(places)) or block.output.name == NOTHING:
        return
    alike = f"equal as polynomials; {len(mine)} instances alike" if len(mine) > 1 else "equal as polynomials"
    dims = tuple(size.subs(numbers) for size in row.dims)
    shapes = {seen.shapes[place][0] for place in mine}
    yield _one(row.path, "shape", dims, shapes, "forward hook", alike)
    flops = {seen.flops.get(place, Expr()) for place in mine}
    yield _one(row.path, "flops", _forward(block).subs(numbers), flops, COUNTER, alike)


def _one(path: str, quantity: str, expected: Any, found: set[Any], by: str, note: str) -> Check:
    """One check of several instances; if any disagrees, it shows one that does."""
    shown = next((value for value in found if value != expected), expected)
    one, other = (value if isinstance(value, int) else _text(value) for value in (expected, shown))
    return Check(path, quantity, one, other, by, note if shown == expected else "")


def _text(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def _forward(node: Block | Op) -> Expr:
    """The FLOPs of one forward pass through a node, whatever else was traced."""
    if isinstance(node, Op):
        return node.flops
    return sum((_forward(c) * (c.repeat if isinstance(c, Block) else 1) for c in node.body), Expr())


def run(job: Job) -> Seen:
    """One forward pass under torch's own counter; experts run as batched products, which it knows."""
    if recurrent := [name for name, m in job.module.named_modules() if isinstance(m, nn.RNNBase)]:
        raise UncountedError(f"no formula for the recurrent layer {recurrent[0] or 'itself'}")
    symbols = job.symbols(job.scale, {})
    mode = FakeTensorMode(shape_env=symbols.env, allow_non_fake_inputs=True)
    seen = Seen()
    with ExitStack() as stack:
        counter = FlopCounterMode(display=False)
        stack.enter_context(torch.enable_grad())  # without gradients torch would take fused paths that it cannot count
        stack.enter_context(huggingface.settled(job.module, job.kwargs, experts="batched_mm"))
        stand_in = StandIns(mode, lambda real, fake: None)
        with mode:
            args = [made(value, symbols) for value in job.args]
            kwargs = {name: made(value, symbols) for name, value in job.kwargs.items()}
        wrap = partial(_watched, seen, symbols)
        stack.enter_context(lent(job.module, stand_in, wrap))
        stack.enter_context(enable_python_dispatcher())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        for inner in (mode, counter):
            stack.enter_context(inner)
        if job.evaluating:
            job.module.eval()
        for module in job.module.modules():
            if isinstance(module, nn.TransformerEncoder):
                module.use_nested_tensor = False
        job.module(*args, **kwargs)
    if settled := symbols.settled():
        raise UncountedError(f"{', '.join(settled)} became a number")
    root = type(job.module).__name__
    for name, counts in counter.get_flop_counts().items():
        place = name.removeprefix(root).removeprefix(".")
        if name == root or name.startswith(root + "."):
            seen.flops[place] = sum((symbols.expr(count) for count in counts.values()), Expr())
    seen.flops.setdefault("", Expr())
    return seen


def _watched(seen: Seen, symbols: Symbols, place: str, module: nn.Module) -> Any:
    """A module's own forward, the shape of what it gives written down."""
    forward = module.forward

    def run(*args: Any, **kwargs: Any) -> Any:
        result = forward(*args, **kwargs)
        tensors = tensors_in(result)
        seen.shapes.setdefault(place, []).append(tuple(map(symbols.expr, tensors[0].shape)) if tensors else ())
        return result

    return run
