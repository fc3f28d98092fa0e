"""Forward's arguments: texts read as specs, specs made into tensors without data, within whatever holds them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from shapeviz.tracing.lend_module import CPU
from shapeviz.tracing.specs import TensorSpec, parse
from shapeviz.tracing.symbolic_sizes import Symbols

Name = Callable[[Tensor, str], Tensor]  # gives a tensor the name of the input that it is


def from_text(value: object, label: str) -> object:
    """A text as the spec that it is, also within tuples, lists and dicts; any other value as it is."""
    match value:
        case str():
            spec: object = parse(value)
            return spec
        case dict():
            return {key: from_text(item, f"{label}[{key!r}]") for key, item in value.items()}
        case tuple() | list():
            return _like(value, [from_text(item, f"{label}[{i}]") for i, item in enumerate(value)])
    return value


def _unnamed(tensor: Tensor, name: str) -> Tensor:
    return tensor


def fake(value: object, symbols: Symbols, name: Name = _unnamed, label: str = "") -> object:
    """An argument as a spec describes it, made within a fake mode; a real tensor as one without data of its shape."""
    match value:
        case TensorSpec(dtype, dims):
            sizes = [symbols.size(size) for size in dims]
            return name(torch.empty(sizes, dtype=getattr(torch, dtype), device=CPU), label)
        case Tensor():
            return name(torch.empty(value.shape, dtype=value.dtype, device=CPU), label)
        case dict():
            return {key: fake(item, symbols, name, f"{label}_{key}") for key, item in value.items()}
        case list() | tuple():
            return _like(value, [fake(item, symbols, name, f"{label}_{i}") for i, item in enumerate(value)])
    return value


def _like(value: list[object] | tuple[object, ...], items: list[object]) -> object:
    """The items in a list or tuple of the same class; a named tuple takes them one by one."""
    make: Callable[..., object] = type(value)
    return make(*items) if hasattr(value, "_fields") else make(items)
