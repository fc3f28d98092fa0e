"""Convolution over named axes, with the shape rule of PyTorch and the cost that its counter has for it."""

from __future__ import annotations

from shapeviz.errors import ShapeError
from shapeviz.expr import Expr, ExprLike, floor, product
from shapeviz.ir import Axis
from shapeviz.lang.axes import AxisName, axes, place, width
from shapeviz.lang.operations import Variable, operation
from shapeviz.lang.recorder import label, shown

__all__ = ["conv"]


def conv(
    x: Variable,
    W: Variable,
    over: AxisName | tuple[AxisName, ...],
    *,
    stride: ExprLike = 1,
    padding: ExprLike = 0,
    dilation: ExprLike = 1,
    groups: ExprLike = 1,
    bias: Variable | None = None,
    name: str = "conv",
) -> Variable:
    """y = W ∗ x + b: a convolution over the named axes of x, in one dimension or several.

    W [c_out c_in/groups k …] has a width of the kernel for every axis in `over`; the channels of x are the last of its
    other axes. An axis of size S becomes ⌊(S + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1. With as many groups as
    channels it is depthwise. Costs 2 · (elements of the result) · (c_in/groups) · (product of the k), as PyTorch's
    counter has it, the padding included. Raises ShapeError.
    """
    names = over if isinstance(over, tuple) else (over,)
    what = f"conv({shown(x)}, {shown(W)})"
    places = [place(what, x, axis) for axis in names]
    others = [i for i in range(len(x.axes)) if i not in places]
    if len(W.axes) != 2 + len(names) or not others:
        kernels = " k" * len(names)
        needed = f"W[c_out c_in/groups{kernels}] is needed, and channels in x"
        raise ShapeError(f"{what}: over {', '.join(map(str, names))} {needed}")
    channel = others[-1]
    out, inner, *kernel = W.axes
    if inner.size * groups != x.shape[channel]:
        raise ShapeError(f"{what}: {inner.size} × {groups} groups ≠ {x.shape[channel]} channels of {label(x)}")
    result = list(x.axes)
    result[channel] = _channels(x.axes[channel], out, groups)
    for i, k in zip(places, kernel, strict=True):
        result[i] = _convolved(x.axes[i], k.size, Expr.of(stride), Expr.of(padding), Expr.of(dilation))
    flops = 2 * product(map(width, result)) * inner.size * product(map(width, kernel))
    inputs = (x, W) if bias is None else (x, W, bias)
    equation = f"{label(W)} ∗ {label(x)}" + (f" + {label(bias)}" if bias else "")
    return operation("convolution", equation, inputs, tuple(result), flops=flops, name=name)


def _channels(before: Axis, out: Axis, groups: ExprLike) -> Axis:
    """The channels of the result; those of x themselves if each is convolved on its own."""
    return before if before.size == groups and before.fits(out) else out


def _convolved(axis: Axis, k: Expr, stride: Expr, padding: Expr, dilation: Expr) -> Axis:
    """The axis after it was convolved: the same one if it keeps its size, and never below one for whatever sizes."""
    size = floor((axis.size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1
    if size.is_constant and size.at({}) < 1:
        raise ShapeError(f"a kernel of {k} over {axis}: it is longer than the axis with its padding")
    return axis if size == axis.size else axes(size)[0]
