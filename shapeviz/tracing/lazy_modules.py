"""Modules whose weights have no sizes before their first call: a copy without data is called once, and traced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from shapeviz.errors import InputError
from shapeviz.tracing.input_values import fake
from shapeviz.tracing.messages import words
from shapeviz.tracing.process_state import alone
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import UninitializedTensorMixin

TENSORS = ("_parameters", "_buffers")


def is_lazy(module: nn.Module) -> bool:
    """True for a module that has such weights, or one within it that has."""
    return any(isinstance(weight, UninitializedTensorMixin) for weight in (*module.parameters(), *module.buffers()))


def called_once(
    module: nn.Module,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    dimensions: Iterable[str],
    sizes: Mapping[str, int],
) -> nn.Module:
    """A copy of a module that has been called once, at the sizes that are asked for.

    Raises InputError if that call fails.
    """
    kind = type(module).__name__
    copy, numbers = _without_data(module), Symbols([], numbers={**Symbols(dimensions, sizes).hints, **sizes})
    try:
        with alone(), torch.no_grad():
            inputs = [fake(value, numbers, _on_meta) for value in args]
            copy(*inputs, **{name: fake(value, numbers, _on_meta) for name, value in kwargs.items()})
    except Exception as error:  # whatever the module raises
        why = f"{type(error).__name__}: {words(error).partition(chr(10))[0]}"
        raise InputError(f"{kind} has no sizes before its first call, and that raises {why}") from error
    return copy


def _on_meta(tensor: Tensor, label: str) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def _without_data(module: nn.Module) -> nn.Module:
    """A copy of a module with weights that have no data, as those of the lazy ones in it will be."""
    memo: dict[int, object] = {}
    for weight in (*module.parameters(), *module.buffers()):
        like: dict[str, Any] = {"requires_grad": weight.requires_grad, "dtype": weight.dtype, "device": "meta"}
        if isinstance(weight, UninitializedTensorMixin):
            make: Callable[..., Tensor] = type(weight)
            memo[id(weight)] = make(**like)
        elif isinstance(weight, nn.Parameter):
            memo[id(weight)] = nn.Parameter(torch.empty_like(weight, device="meta"), weight.requires_grad)
        else:
            memo[id(weight)] = torch.empty_like(weight, device="meta")
    return deepcopy(module, memo)
