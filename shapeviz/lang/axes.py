"""Which axes are one: the rules by which operations unite, contract and align the axes of their operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from shapeviz.errors import ShapeError, nearest
from shapeviz.expr import Expr, ExprLike
from shapeviz.ir import Axis, Tensor
from shapeviz.lang.recorder import running, shown

__all__ = ["Axis", "Size", "axis"]

Size: TypeAlias = ExprLike | Axis
AxisName: TypeAlias = str | Axis
Axes: TypeAlias = tuple[Axis, ...]


def axis(name: str, size: ExprLike) -> Axis:
    """An axis with a name of its own, which can stand wherever a size can.

    >>> axis("h", 4) == axis("h", 4), axis("h", 4) == axis("g", 4), axis("h", "h") == axes("h")[0]
    (True, False, True)
    """
    return Axis(name, Expr.of(size))


def axes(*sizes: Size, **named: ExprLike) -> Axes:
    """Axes in order: an axis stays itself, letters are named by their text, a bare number is an axis of its own."""
    positional = (Axis.of(size if isinstance(size, Axis) else Expr.of(size)) for size in sizes)
    return (*positional, *(axis(name, size) for name, size in named.items()))


def width(size: Size) -> Expr:
    """The size of an axis, or the size that it is."""
    return size.size if isinstance(size, Axis) else Expr.of(size)


def united(what: Callable[[], str], *operands: Axes) -> Axes:
    """The axes of all operands, those that are the same axis once, in order; `what` names the operation in a message.

    Raises ShapeError if an axis is not equally long everywhere.
    """
    axes: list[Axis] = []
    for new in (axis for operand in operands for axis in operand):
        same = next((axis for axis in axes if axis == new), None)
        if same is None:
            axes.append(new)
        elif same.size != new.size:
            raise ShapeError(f"{what()}: the axis {new.name} has two sizes, {same.size} ≠ {new.size}")
    return tuple(axes)


def aligned(symbol: str, a: Tensor, b: Tensor, one: Axes, other: Axes) -> Axes:
    """The longer of two rows of axes, if the shorter one is its end; a name goes before a bare number.

    Raises ShapeError, in the notation `a symbol b`, for two axes in the same place that differ.
    """
    long, short = (one, other) if len(one) >= len(other) else (other, one)
    start = len(long) - len(short)
    for left, right in zip(long[start:], short, strict=True):
        if not left.fits(right):
            raise ShapeError(f"{shown(a)} {symbol} {shown(b)}: sizes differ, {differing(left, right)}")
    tail = (left if left.name else right for left, right in zip(long[start:], short, strict=True))
    return (*long[:start], *tail)


def place(what: str, x: Tensor, axis: AxisName) -> int:
    """Where x has this axis. Raises ShapeError if it has none, or more than one."""
    places = [i for i, own in enumerate(x.axes) if axis in (own, own.name)]
    if len(places) == 1:
        return places[0]
    if places:
        raise ShapeError(f"{what}: {shown(x)} has two axes {axis}")
    named = [own.name for own in x.axes if own.name]
    hint = nearest(str(axis), named) if named else "none of its axes has a name"
    raise ShapeError(f"{what}: {shown(x)} has no axis {axis}; {hint}")


def differing(one: Axis, other: Axis) -> str:
    """`d_k ≠ d_v   (d_k = 64, d_v = 96)`: two axes that should be one, with the numbers that are known of them."""
    values = [f"{axis} = {number}" for axis in (one, other) if (number := _number(axis.size)) is not None]
    return f"{one} ≠ {other}" + (f"   ({', '.join(values)})" if values else "")


def _number(size: Expr) -> int | None:
    known = running().sizes
    return size.at(known) if not size.is_constant and size.names <= known.keys() else None
