"""Axis and Tensor: what has a shape. Two axes are one only if they are the same axis, never by being equally long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeAlias

from shapeviz.errors import InputError
from shapeviz.expr import Expr, product

Shape: TypeAlias = tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """A direction of a tensor: what it is called, and how long it is.

    Two axes are one if they bear the same name. One without a name equals itself alone: two batches of 4 that come
    from different places are not the same batch.
    """

    name: str
    size: Expr

    @staticmethod
    def of(size: Axis | Expr) -> Axis:
        """The axis of a size: letters are named by their text, a bare number has no name.

        >>> S, four = Expr.of("S"), Expr.of(4)
        >>> Axis.of(S) == Axis.of(S), Axis.of(four) == Axis.of(four)
        (True, False)
        """
        return size if isinstance(size, Axis) else Axis(_text(size), size)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Axis) and self.name != "" and self.name == other.name)

    def __hash__(self) -> int:
        return hash(self.name or id(self))

    @property
    def named(self) -> bool:
        """Whether it has a name of its own, which says more than its size."""
        return self.name not in ("", _text(self.size))

    def fits(self, other: Axis) -> bool:
        """Whether the two, standing in the same place, can be one: equally long, and no two different names."""
        return self.size == other.size and (self == other or not (self.named and other.named))

    def __str__(self) -> str:
        """`S`, `4`, or `h=4` where it is `named`."""
        return f"{self.name}={self.size}" if self.named else str(self.size)


@cache
def _text(size: Expr) -> str:
    """One text for equal sizes, however each was written; none for a number."""
    return "" if size.is_constant else str(size)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value with axes; a parameter is one too, and the same object used twice is one weight.

    `dims` are its axes, or sizes that axes are made of when they are asked for.
    """

    name: str
    dims: tuple[Axis | Expr, ...]
    dtype: str = "float32"
    role: str = "data"  # data, param or constant
    trainable: bool = True

    def __str__(self) -> str:
        return f"{self.name}[{' '.join(map(str, self.axes))}]"

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """What tells one axis from another that is equally long: an axis of a bare number is this tensor's own."""
        return tuple(map(Axis.of, self.dims))

    @cached_property
    def shape(self) -> Shape:
        """The sizes of its axes."""
        return tuple(dim.size if isinstance(dim, Axis) else dim for dim in self.dims)

    @property
    def bytes(self) -> Expr:
        """Its size in memory: elements times the bytes of one. Raises InputError for a dtype of unknown width."""
        return product(self.shape) * width(self.dtype)


def width(dtype: str) -> int:
    """Bytes of one element: 2 for float16, 1 for bool. Raises InputError for a name without a width.

    >>> width("bfloat16"), width("complex64"), width("float8_e4m3fn")
    (2, 8, 1)
    """
    bits = re.fullmatch(r"(?:[a-z]*?)(\d+)(?:_\w+)?", dtype)
    if dtype != "bool" and not bits:
        raise InputError(f"the dtype {dtype} has no known width")
    return int(bits[1]) // 8 if bits else 1


def is_dtype(text: str) -> bool:
    """True for the name of a dtype in which weights can be.

    >>> is_dtype("bfloat16"), is_dtype("int64"), is_dtype("auto")
    (True, False, False)
    """
    return bool(re.fullmatch(r"b?float(8|16|32|64)(_\w+)?", text))
