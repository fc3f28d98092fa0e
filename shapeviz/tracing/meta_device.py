"""Modules made on torch's meta device, where tensors have shapes and no values, so that any size fits in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

from shapeviz.tracing.messages import NO_VALUES, words


class ValuesOnCpu(TorchFunctionMode):
    """Makes small tensors whose values a constructor may read on the CPU."""

    readable = frozenset(getattr(torch, name) for name in ("arange", "as_tensor", "linspace", "logspace", "tensor"))

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func in self.readable:
            kwargs.setdefault("device", "cpu")
        return func(*args, **kwargs)


def called(factory: Callable[[], object]) -> object:
    """The factory's result on the meta device; if it reads the values of small tensors, these are on the CPU."""
    try:
        with torch.device("meta"):
            return factory()
    except (RuntimeError, NotImplementedError) as error:
        if not NO_VALUES.search(words(error)):
            raise
    with torch.device("meta"), ValuesOnCpu():
        return factory()


def move(module: nn.Module) -> None:
    """Moves the parameters and buffers that a constructor put elsewhere; shared ones stay shared."""
    moved: dict[Tensor, Tensor] = {}
    for part in module.modules():
        tables: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for held in tables:
            for name, tensor in held.items():
                if tensor is None or tensor.is_meta:
                    continue
                if tensor not in moved:
                    there = tensor.detach().to("meta")
                    is_parameter = isinstance(tensor, Parameter)
                    moved[tensor] = Parameter(there, tensor.requires_grad) if is_parameter else there
                held[name] = moved[tensor]
