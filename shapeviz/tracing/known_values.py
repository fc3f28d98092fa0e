"""What buffers hold, and what is made of nothing else: no data of the input's, so a trace may look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import SymBool, SymFloat, SymInt, Tensor

from shapeviz.tracing.torch_private import DisableTorchFunction, tree_flatten, tree_unflatten, without_modes

FOLLOWED = """
abs add all amax amin any argmax argmin bool clone cpu detach div eq flatten float floordiv ge getitem gt int invert le
long lt logical_and logical_not logical_or max mean min mod mul ne neg or and prod radd remainder reshape rmul rsub sub
sum to truediv view
"""
NAMES = {*FOLLOWED.split()}
MOST = 4096  # elements of a value that is followed


class KnownValues:
    """Tensors of a trace whose values are known, each with a real one that has them."""

    def __init__(self) -> None:
        self._real: dict[int, tuple[Tensor, Tensor]] = {}

    def add(self, value: Tensor, real: object) -> None:
        """From here on the value is known."""
        if isinstance(real, Tensor) and real.device.type != "meta":
            self._real[id(value)] = value, real

    def of(self, value: object) -> Tensor | None:
        """A real tensor with the same values, as long as forward has not changed them; None if they are not known."""
        stand_in, real = self._real.get(id(value), (None, None))
        return real if stand_in is not None and stand_in._version == 0 else None

    def follow(
        self, func: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object], result: object
    ) -> None:
        """Where all that a function read is known, its result is as well."""
        name = getattr(func, "__name__", "")
        in_place = name.endswith("_") and not name.startswith("_")
        if not self._real or name.strip("_") not in NAMES or in_place or not isinstance(result, Tensor):
            return
        leaves, structure = tree_flatten((args, dict(kwargs)))
        known = {i: self.of(leaf) for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
        if (
            any(_has_letters(leaf) for leaf in leaves)
            or not known
            or any(value is None or value.numel() > MOST for value in known.values())
        ):
            return
        with without_modes(), DisableTorchFunction():
            own_args, own_kwargs = tree_unflatten([known.get(i, leaf) for i, leaf in enumerate(leaves)], structure)
            self.add(result, func(*own_args, **own_kwargs))


def _has_letters(value: object) -> bool:
    """True for a size with letters in it, and for a slice of such ones, which no real tensor can be given."""
    if isinstance(value, slice):
        return any(map(_has_letters, (value.start, value.stop, value.step)))
    return isinstance(value, SymInt | SymFloat | SymBool)
