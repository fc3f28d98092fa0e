"""One run of the PyTorch module for all batches and lengths: its shapes and FLOPs as polynomials in B, S, T."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import Shape
from shapeviz.models.transformer import Config
from shapeviz.tracing.symbolic_sizes import Symbols, Unwritable
from shapeviz.verify.forward_pass import Run, RunError, construct, example, parameters, run
from shapeviz.verify.sizes import table_length, variables

HINTS = {"B": 7, "S": 97, "T": 89}  # where torch decides a branch; that it decides none is checked


@dataclass(frozen=True)
class Observation:
    """What PyTorch says of a module: parameters, shapes and FLOPs, and of every row's path the submodules that are it.

    `params`, `inputs`, `outputs` and `flops` have the paths of submodules.
    """

    params: dict[str, int]
    inputs: dict[str, tuple[Shape, ...]]
    outputs: dict[str, Shape]
    flops: dict[str, Expr]
    instances: dict[str, list[str]]


def observe(c: Config) -> Observation:
    """The module of a configuration, run on fake tensors whose batch and lengths are symbols.

    Raises RunError if the module raises, or if it is not the same at every batch and length.
    """
    module, names, limit = construct(c), variables(c), table_length(c)
    hints = {name: min(HINTS[name], limit or HINTS[name]) if name != "B" else HINTS[name] for name in names}
    symbols = Symbols(names, sizes=hints)
    batch, *lengths = symbols.symints.values()
    try:
        with symbols.fake_mode():
            seen = run(module, example(tuple(lengths), batch, c.d_model, c.vocab))
    except RunError as error:
        raise RunError(error.path, symbols.renamed(str(error))) from error
    if conditions := _conditions(symbols, limit):
        raise RunError("", f"only where {', '.join(conditions)}")
    try:
        return _written(module, seen, symbols)
    except Unwritable as error:
        raise RunError("", f"a size that is no polynomial: {error}") from error


def _conditions(symbols: Symbols, limit: int | None) -> list[str]:
    """What must hold of B, S, T for the run to be what it was, but for lengths within the table of positions."""
    settled = [f"{name} = {size}" for name, size in symbols.settled().items()]
    guards = [symbols.renamed(str(guard.expr)) for guard in symbols.env.guards]
    return settled + [guard for guard in guards if guard not in (f"S <= {limit}", f"T <= {limit}")]


def _written(module: nn.Module, seen: Run[Any], symbols: Symbols) -> Observation:
    return Observation(
        parameters(module),
        {path: tuple(symbols.shape(shape) for shape in shapes) for path, shapes in seen.inputs.items()},
        {path: symbols.shape(shape) for path, shape in seen.outputs.items()},
        {path: symbols.expr(flops) for path, flops in seen.flops.items()},
        _instances(module),
    )


def _instances(module: nn.Module) -> dict[str, list[str]]:
    instances: dict[str, list[str]] = {}
    for place, submodule in module.named_modules():
        if not isinstance(submodule, nn.ModuleList):
            instances.setdefault(without_numbers(place), []).append(place)
    return instances


def without_numbers(place: str) -> str:
    """The path of a submodule without the numbers of its instances.

    >>> without_numbers("encoder.layer.0.self_attention")
    'encoder.layer.self_attention'
    """
    return ".".join(name for name in place.split(".") if not name.isdigit())
