"""Operations whose result is like their input, answered without torch's reasoning about sizes, most of a trace's time.

Torch decomposes a normalisation into a dozen operations and asks of each whether its tensors are laid out alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from shapeviz.tracing.torch_private import DisableTorchFunction, FakeTensor, FakeTensorMode, OpOverload

ALIKE = {
    "relu", "silu", "gelu", "sigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid", "elu", "leaky_relu", "mish",
    "softplus", "exp", "neg", "abs", "sqrt", "rsqrt", "add", "sub", "mul", "div",
}  # fmt: skip
NORMS = {
    "aten::_native_batch_norm_legit_no_training": 0,
    "aten::_native_batch_norm_legit": 1,
    "aten::native_batch_norm": 1,
}


def quick(mode: FakeTensorMode, func: OpOverload, args: Sequence[object]) -> object:
    """The result of such an operation; None for another one, or where the result may be laid out in its own way."""
    name = func._schema.name
    x = args[0] if args else None
    if name.removeprefix("aten::") not in ALIKE and name not in NORMS:
        return None
    if not isinstance(x, FakeTensor) or not x.is_floating_point() or x._is_view() or x.fake_mode is not mode:
        return None
    if name in NORMS:
        return _normalised(mode, name, x, args)
    others = [other for other in args[1:] if isinstance(other, Tensor)]
    if func._schema.is_mutable or any(isinstance(other, complex) for other in args):
        return None
    if not all(_alike(x, other) for other in others):
        return None
    return _like(mode, x)


def _normalised(mode: FakeTensorMode, name: str, x: FakeTensor, args: Sequence[object]) -> object:
    """A batch normalisation: its result and what it saves, mean and deviation of each channel if it takes them."""
    training = bool(NORMS[name]) and isinstance(args[5], bool) and args[5]
    if len(args) < 6 or (NORMS[name] and not isinstance(args[5], bool)):
        return None
    channels = [x.shape[1]] if training else [0]
    precise = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    mean, deviation = (torch.empty(channels, dtype=precise, device="meta") for _ in range(2))
    return _like(mode, x), FakeTensor(mode, mean, x.device), FakeTensor(mode, deviation, x.device)


def _alike(x: Tensor, other: Tensor) -> bool:
    """True for two tensors of which every axis is the same, in the same place of memory."""
    return (
        isinstance(other, FakeTensor)
        and other.dtype == x.dtype
        and not other._is_view()
        and [*map(str, (*x.shape, *x.stride()))] == [*map(str, (*other.shape, *other.stride()))]
    )


def _like(mode: FakeTensorMode, x: FakeTensor) -> FakeTensor:
    with DisableTorchFunction():
        return FakeTensor(mode, torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta"), x.device)
