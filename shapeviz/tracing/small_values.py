"""Small tensors of plain numbers, made with their values while a class is built without data; and one without any."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import SymFloat, SymInt, Tensor, nn
from torch.overrides import TorchFunctionMode

from shapeviz.tracing.torch_private import FakeTensor, tree_leaves, without_modes

MOST_VALUES = 4096  # of a tensor that is made with its values
VALUES = {getattr(torch, name) for name in ("arange", "as_tensor", "linspace", "logspace", "tensor", "full")}


class SmallValues(TorchFunctionMode):
    """Makes small tensors of plain numbers real ones, so that a constructor may read their values.

    What is computed of such tensors alone is computed.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and args and isinstance(args[0], SymInt | SymFloat):
            return number_without_data(*args, **kwargs)
        values = tree_leaves((args, kwargs))
        if any(isinstance(value, SymInt | SymFloat | FakeTensor | nn.Parameter) for value in values):
            return func(*args, **kwargs)
        if any(isinstance(value, Tensor) for value in values):
            with without_modes():
                return func(*args, **kwargs)
        if func not in VALUES or any(type(value) is builtins.int and value > MOST_VALUES for value in values):
            return func(*args, **kwargs)
        with without_modes():
            made: Any = func(*args, **{**kwargs, "device": "cpu"})
        return made if made.numel() <= MOST_VALUES else func(*args, **kwargs)


def number_without_data(number: SymInt | SymFloat, *rest: object, **settings: Any) -> Tensor:
    """A tensor of one symbolic number, as `torch.tensor` makes it of one that is known."""
    dtype = settings.get("dtype") or (torch.int64 if isinstance(number, SymInt) else torch.get_default_dtype())
    return torch.empty((), dtype=dtype, device="cpu", requires_grad=bool(settings.get("requires_grad")))
