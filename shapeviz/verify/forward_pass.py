"""What PyTorch itself says of a module: parameters, shapes and FLOPs of every submodule, on the meta device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from shapeviz.models.transformer import Config
from shapeviz.verify.reference_transformer import build

Size = TypeVar("Size")  # int, or torch's symbolic integer


class RunError(Exception):
    """A forward pass that raised; `path` is the innermost submodule that was running."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


@dataclass
class Run(Generic[Size]):
    """One forward pass: of every submodule the shapes that went in and came out, and its FLOPs."""

    inputs: dict[str, tuple[tuple[Size, ...], ...]] = field(default_factory=dict)
    outputs: dict[str, tuple[Size, ...]] = field(default_factory=dict)
    flops: dict[str, Size] = field(default_factory=dict)


def parameters(module: nn.Module) -> dict[str, int]:
    """Unique parameter elements of every submodule, the whole under "".

    A tied weight belongs to the first submodule that holds it, and counts in that one and in what contains it.
    """
    owners: dict[Tensor, str] = {}
    for path, submodule in module.named_modules():
        for weight in submodule.parameters(recurse=False):
            owners.setdefault(weight, path)
    counts = {path: 0 for path, _ in module.named_modules()}
    for weight, owner in owners.items():
        for path in _upwards(owner):
            counts[path] += weight.numel()
    return counts


def run(module: nn.Module, inputs: tuple[Tensor, ...]) -> Run[Any]:
    """One forward pass, watched by hooks and by `FlopCounterMode`. Raises RunError with the submodule that failed."""
    result: Run[Any] = Run()
    running = [""]
    with torch.no_grad(), _watched(module, result, running), FlopCounterMode(display=False) as counter:
        try:
            module(*inputs)
        except Exception as error:
            raise RunError(running[-1], _first_line(error)) from error
    root = type(module).__name__
    counts = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    for path, _ in module.named_modules():
        result.flops[path] = counts.get(f"{root}.{path}" if path else root, 0)
    return result


def example(lengths: tuple[Any, ...], batch: Any, width: int, vocab: int | None) -> tuple[Tensor, ...]:
    """An input [B, length] of token ids for every stack, or [B, length, width] of vectors without a vocabulary."""
    if vocab:
        return tuple(torch.zeros(batch, length, dtype=torch.int64, device="meta") for length in lengths)
    return tuple(torch.zeros(batch, length, width, device="meta") for length in lengths)


@contextmanager
def _watched(module: nn.Module, result: Run[Any], running: list[str]) -> Iterator[None]:
    """Hooks that write shapes into the result and keep the stack of running submodules."""

    def enter(path: str, _: nn.Module, args: tuple[Any, ...]) -> None:
        running.append(path)
        result.inputs[path] = tuple(tuple(x.shape) for x in args if isinstance(x, Tensor))

    def leave(path: str, _: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        running.pop()
        result.outputs[path] = tuple(output.shape)

    handles = []
    for path, submodule in module.named_modules():
        handles.append(submodule.register_forward_pre_hook(partial(enter, path)))
        handles.append(submodule.register_forward_hook(partial(leave, path)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def leaves(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The submodules that hold no other."""
    return ((path, child) for path, child in module.named_modules() if not any(child.children()))


def construct(config: Config) -> nn.Module:
    """The module of a configuration, on the meta device; raises RunError if PyTorch refuses to build it."""
    try:
        return build(config)
    except Exception as error:
        raise RunError("", _first_line(error)) from error


def _upwards(path: str) -> Iterator[str]:
    """The path and all that contain it, up to the root's "".

    >>> list(_upwards("encoder.layer.0"))
    ['encoder.layer.0', 'encoder.layer', 'encoder', '']
    """
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
