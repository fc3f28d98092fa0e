"""Functions of torch that decide something without a word, by a size of one, a remainder or data: ours ask first.

The answer is then a condition of the trace, or assumed, as that of a branch in the module's own code is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Axes = int | Sequence[int]


def squeeze(x: Tensor, *axes: Axes, dim: Axes | None = None) -> Tensor:
    """Torch's own, asked first which axes are of size one: it takes no symbol for one, without a word."""
    return Tensor.squeeze(x, *_ask_for_ones(x, axes, dim))


def squeeze_(x: Tensor, *axes: Axes, dim: Axes | None = None) -> Tensor:
    """The same in place."""
    return Tensor.squeeze_(x, *_ask_for_ones(x, axes, dim))


def _ask_for_ones(x: Tensor, axes: tuple[Axes, ...], dim: Axes | None) -> tuple[Axes, ...]:
    wanted = axes or (() if dim is None else (dim,))
    flat = [axis for one in wanted for axis in (one if isinstance(one, list | tuple) else (one,))]
    for axis in flat or range(x.dim()):
        if isinstance(axis, int) and -x.dim() <= axis < x.dim():
            bool(x.shape[axis] == 1)
    return wanted


def tensor_split(x: Tensor, *sections: object, dim: int = 0, **named: object) -> object:
    """Torch's own, asked first how many of its parts are one longer than the others."""
    split: Callable[..., object] = Tensor.tensor_split
    number, *rest = (*sections, *named.values())
    axis = rest[0] if rest else dim
    if isinstance(number, int) and isinstance(axis, int) and number > 0:
        int(x.shape[axis] % number)
    return split(x, number, axis)


def equal(x: Tensor, y: Tensor) -> bool:
    """True if all elements are."""
    return x.shape == y.shape and bool((x == y).all())


def allclose(x: Tensor, y: Tensor, *rest: float, **named: bool) -> bool:
    """True if all elements are nearly equal."""
    near: Callable[..., Tensor] = Tensor.isclose
    return bool(near(x, y, *rest, **named).all())
