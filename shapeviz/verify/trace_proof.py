"""The proof of a traced model: the module runs once more, whole and unfolded, under torch's own counters.

`FlopCounterMode` counts it with symbolic sizes and attention spelt out, forward hooks see the shapes; both give
polynomials in the user's dimensions, which are compared with ours as such.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from shapeviz.expr import Expr, total
from shapeviz.ir import NOTHING, Block, Model, Op, Shape
from shapeviz.report import Check, Report, Row, measure
from shapeviz.tracing import huggingface
from shapeviz.tracing.fake_run import prepare_modules
from shapeviz.tracing.input_values import fake
from shapeviz.tracing.lend_module import StandIns, lent
from shapeviz.tracing.process_state import alone
from shapeviz.tracing.recording import tensors_in
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import enable_python_dispatcher
from shapeviz.tracing.traced_model import Traced
from shapeviz.verify.forward_pass import parameters

COUNTER = "FlopCounterMode, symbolic"


class UncountedError(Exception):
    """Torch's counter cannot count the module, or not for all sizes."""


@dataclass
class TraceObservation:
    """What torch says of every submodule, by its path: output shapes, call by call, and FLOPs of all its calls."""

    shapes: dict[str, list[Shape]] = field(default_factory=dict)
    flops: dict[str, Expr] = field(default_factory=dict)


def prove(model: Model, traced: Traced) -> tuple[Check, ...]:
    """Parameters, output shapes and forward FLOPs of every submodule that ran, and the totals."""
    report = measure(model)
    numbers = {name: report.sizes.numbers[name] for name in report.sizes.fixed}
    blocks = [(block, row) for block, row in _rows(model.root, report, "") if block in traced.module_paths]
    checks = list(_parameter_checks(report, blocks, traced))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            observation = observe(traced)
    except Exception as error:  # whatever torch raises says nothing about the formulas
        why = str(error) if isinstance(error, UncountedError) else f"torch raises {type(error).__name__}: {error}"
        note = f"not comparable: {why}".splitlines()[0]
        formula = report.total["flops"].subs(numbers)
        return (*checks, Check("model", "flops", formula, None, COUNTER, note, explained=True))
    calls = Counter(path for block, _ in blocks for path in traced.module_paths[block])
    for block, row in blocks:
        checks += _block_checks(block, row, traced.module_paths[block], calls, observation, numbers)
    return (*checks, _total_check(model, report, observation, numbers))


def _rows(block: Block, report: Report, prefix: str) -> Iterator[tuple[Block, Row]]:
    """Every block that has a row, with it."""
    by_path = {row.path: row for row in report.rows}
    for child in block.blocks:
        if row := by_path.get(prefix + child.name):
            yield child, row
            yield from _rows(child, report, f"{prefix}{child.name}.")


def _parameter_checks(report: Report, blocks: list[tuple[Block, Row]], traced: Traced) -> Iterator[Check]:
    """Of every block none of whose weights is shared with another, and of the whole model."""
    module = traced.setting.request.module
    # a module that torch.compile wraps is traced as itself, at the path of its wrapping
    measured = {path.replace("._orig_mod", ""): count for path, count in parameters(module).items()}
    uses = Counter(id(weight) for _, weight in module.named_parameters(remove_duplicate=False))
    for block, row in blocks:
        paths = dict.fromkeys(traced.module_paths[block])
        weights = [weight for path in paths for weight in module.get_submodule(path).parameters()]
        if paths and row.repeat.value and not _ties(block) and not any(uses[id(weight)] > 1 for weight in weights):
            counts = {measured[path] for path in paths}
            yield _check(row.path, "params", int(row.cells["params"].value), counts, "PyTorch", "")
    whole = sum(weight.numel() for weight in module.parameters())
    yield Check("model", "params", report.total["params"].value, whole, "PyTorch", "unique nn.Parameter elements")


def _ties(block: Block) -> bool:
    """True if the block or one within it uses weights that an earlier one owns."""
    return bool(block.tied) or any(map(_ties, block.blocks))


def _block_checks(
    block: Block,
    row: Row,
    paths: tuple[str, ...],
    calls: Mapping[str, int],
    observation: TraceObservation,
    numbers: Mapping[str, int],
) -> Iterator[Check]:
    """Of all instances of a block, those that are called nowhere else: their FLOPs, and the shapes they give."""
    once = [path for path in dict.fromkeys(paths) if calls[path] == 1 and len(observation.shapes.get(path, ())) == 1]
    if len(once) != len(set(paths)) or block.output.name == NOTHING:
        return
    note = "equal as polynomials" + f"; {len(once)} instances alike" * (len(once) > 1)
    dims = tuple(size.subs(numbers) for size in row.dims)
    yield _check(row.path, "shape", dims, {observation.shapes[path][0] for path in once}, "forward hook", note)
    flops = {observation.flops.get(path, Expr()) for path in once}
    yield _check(row.path, "flops", _forward(block).subs(numbers), flops, COUNTER, note)


def _total_check(model: Model, report: Report, observation: TraceObservation, numbers: Mapping[str, int]) -> Check:
    """The FLOPs of one forward pass of the whole module."""
    formula, unknown = _forward(model.root).subs(numbers).split(report.sizes.names)
    note = "equal as polynomials" * (formula == observation.flops[""])
    if unknown.terms:
        note += f"; not counted: {unknown}, {'; '.join(report.reasons[name] for name in sorted(unknown.names))}"
    return Check("model", "flops", formula, observation.flops[""], COUNTER, note)


Value = int | Expr | Shape


def _check(path: str, quantity: str, formula: Value, measured: Iterable[Value], by: str, note: str) -> Check:
    """One check of several instances; if any disagrees, it shows one that does."""
    other = next((value for value in measured if value != formula), formula)
    return Check(path, quantity, _text(formula), _text(other), by, note if other == formula else "")


def _text(value: Value) -> int | str:
    if isinstance(value, int):
        return value
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def _forward(node: Block | Op) -> Expr:
    """The FLOPs of one forward pass through a node, whatever else was traced."""
    if isinstance(node, Op):
        return node.flops
    return total(_forward(child) * (child.repeat if isinstance(child, Block) else 1) for child in node.body)


def observe(traced: Traced) -> TraceObservation:
    """One forward pass under torch's own counter; experts run as batched products, which it knows.

    Raises UncountedError for what it has no formula for, and whatever torch raises.
    """
    request, evaluating = traced.setting.request, traced.setting.by.evaluating
    module = request.module
    if recurrent := [name for name, part in module.named_modules() if isinstance(part, nn.RNNBase)]:
        raise UncountedError(f"no formula for the recurrent layer {recurrent[0] or 'itself'}")
    symbols = traced.setting.symbols()
    mode = symbols.fake_mode()
    observation = TraceObservation()
    counter = FlopCounterMode(display=False)
    with ExitStack() as stack:
        stack.enter_context(alone())
        stack.enter_context(torch.enable_grad())  # without gradients torch would take fused paths that it cannot count
        stack.enter_context(huggingface.settled(module, request.kwargs, experts="batched_mm"))
        with mode:
            args = [fake(value, symbols) for value in request.args]
            kwargs = {name: fake(value, symbols) for name, value in request.kwargs.items()}
        stand_ins = StandIns(mode, lambda real, stand_in: None)
        stack.enter_context(lent(module, stand_ins, partial(_hooked, observation, symbols)))
        stack.enter_context(enable_python_dispatcher())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(mode)
        stack.enter_context(counter)
        prepare_modules(module, evaluating)
        module(*args, **kwargs)
    if settled := symbols.settled():
        raise UncountedError(f"{', '.join(settled)} became a number")
    root = type(module).__name__
    for name, counts in counter.get_flop_counts().items():
        if name == root or name.startswith(root + "."):
            path = name.removeprefix(root).removeprefix(".")
            observation.flops[path] = total(map(symbols.expr, counts.values()))
    observation.flops.setdefault("", Expr())
    return observation


def _hooked(observation: TraceObservation, symbols: Symbols, path: str, module: nn.Module) -> Callable[..., object]:
    """A module's own forward, the shape of what it gives written down."""
    forward: Callable[..., object] = module.forward

    def hooked(*args: object, **kwargs: object) -> object:
        result = forward(*args, **kwargs)
        tensors = tensors_in(result)
        shape = tuple(map(symbols.expr, tensors[0].shape)) if tensors else ()
        observation.shapes.setdefault(path, []).append(shape)
        return result

    return hooked
