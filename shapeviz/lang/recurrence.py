"""A recurrence over a named axis: its step is recorded once, and its cost multiplied by the axis's size."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.errors import ShapeError
from shapeviz.ir import ONE, Axis
from shapeviz.lang.axes import AxisName, place
from shapeviz.lang.operations import Variable, operation
from shapeviz.lang.recorder import label, running, shown

__all__ = ["scan"]


def scan(
    step: Callable[..., tuple[Variable, Variable]],
    x: Variable | tuple[Variable, ...],
    state: Variable,
    over: AxisName,
    name: str = "step",
) -> tuple[Variable, Variable]:
    """y_t, h_t = step(x_t, h_(t-1)) for every t along the axis `over`; all y and the last state.

    `step` is a block; it is called once, and runs as often as the axis is long, with one set of weights. Of the
    variables in x it gets one slice each, and those that have no such axis whole. Its result y [B d] becomes [B S d],
    the axis standing where it does in the first x. Raises ShapeError if no x has the axis, or if the state that comes
    out cannot go in again.
    """
    sequences = x if isinstance(x, tuple) else (x,)
    along = [v for v in sequences if any(over in (axis, axis.name) for axis in v.axes)]
    if not along:
        raise ShapeError(f"scan over {over}: none of {', '.join(map(shown, sequences))} has this axis")
    position = place(f"scan over {over}", along[0], over)
    length = along[0].axes[position]
    slices = [_slice(v, over) if v in along else v for v in sequences]
    y, after = step(*slices, state, name=name, repeat=length.size, copies=ONE)
    if len(after.axes) != len(state.axes) or not all(map(Axis.fits, after.axes, state.axes)):
        raise ShapeError(f"{name} cannot be repeated: its state {shown(state)} becomes {shown(after)}")
    stacked = (*y.axes[:position], length, *y.axes[position:])
    return operation("stack", f"y_1 … y_{over}", (y,), stacked), after


def _slice(x: Variable, over: AxisName) -> Variable:
    """x_t, without the axis: a way of reading, no step of its own."""
    at = place(f"scan over {over}", x, over)
    one = Variable(f"{label(x)}_t", (*x.axes[:at], *x.axes[at + 1 :]), x.dtype, x.role)
    running().views[one] = running().views.get(x, x)
    return one
