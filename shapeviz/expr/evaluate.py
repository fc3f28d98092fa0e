"""The value of an expression at sizes: exact integers of any size, or NumPy arrays elementwise.

Every value is kept as a fraction (numerator, denominator) of integers, so that one rule serves Python's
integers and arrays alike and nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from operator import index
from typing import Any

from shapeviz.errors import SizeError
from shapeviz.expr.polynomial import Atom, Expr, Factor, denominator

LARGEST = 2**63 - 1


def value(expr: Expr, sizes: Mapping[str, Any]) -> Any:
    """The value at sizes that are integers or arrays of them; where it is no integer, Fractions.

    Raises SizeError on a division by zero, and for sizes that are no integers.

    >>> value(Expr.of("h") ** 40 * "d", {"h": 10, "d": 3}) == 3 * 10**40
    True
    """
    used = {name: _integers(name, sizes[name]) for name in expr.names}
    if any(map(_is_array, used.values())):
        used = _wide_enough(expr, used)
    above, below = _ratio(expr, used)
    if not (_is_array(above) or _is_array(below)):
        result = Fraction(above, below)
        return result.numerator if result.denominator == 1 else result
    return above // below if (above % below == 0).all() else above * Fraction(1) / below


def _ratio(expr: Expr, sizes: Mapping[str, object]) -> tuple[Any, Any]:
    powers, number = denominator(expr.terms.items())
    if not powers and number == 1 and not expr.atoms:  # most of them: nothing is divided by, no division by zero
        return _sum(expr, sizes)
    divisor = Expr({powers: number})
    above, extra = _sum(expr * divisor, sizes)
    below, other = _sum(divisor, sizes)
    zero = below * extra == 0
    if zero.any() if _is_array(zero) else zero:
        raise SizeError(f"division by zero in {expr}")
    return above * other, below * extra


def _sum(expr: Expr, sizes: Mapping[str, object]) -> tuple[Any, Any]:
    """The value of terms with integer coefficients and positive powers."""
    above: Any = 0
    below: Any = 1
    for monomial, coefficient in expr.terms.items():
        n: Any = int(coefficient)
        d: Any = 1
        for factor, power in monomial:
            a, b = _factor(factor, sizes)
            n, d = n * a**power, d * b**power
        above, below = above * d + n * below, below * d
    return above, below


def _factor(factor: Factor, sizes: Mapping[str, object]) -> tuple[Any, Any]:
    if not isinstance(factor, Atom):
        return sizes[factor], 1
    ratios = [_ratio(arg, sizes) for arg in factor.args]
    above, below = ratios[0]
    match factor.function:
        case "floor":
            return above // below, 1
        case "ceil":
            return -(-above // below), 1
    for a, b in ratios[1:]:
        above, below = _extreme(factor.function, above, below, a, b)
    return above, below


def _extreme(function: str, a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any]:
    """The lesser or the greater of a/b and c/d: half of their sum minus or plus their distance."""
    total, distance, below = a * d + c * b, abs(a * d - c * b), b * d
    if isinstance(below, int) and below > 0:
        whole = total + distance if function == "max" else total - distance
        return (whole // 2, 1) if below == 1 else (whole, 2 * below)
    total, distance = total * abs(below), distance * below
    return total + distance if function == "max" else total - distance, 2 * below * abs(below)


def _is_array(size: Any) -> bool:
    return hasattr(getattr(size, "dtype", None), "kind")


def _integers(name: str, size: Any) -> Any:
    """The size as a Python integer or an array of integers, those of object arrays Python's own."""
    try:
        if type(size) is int or not _is_array(size):
            return index(size)
        if size.dtype.kind == "O":
            size = size.copy()
            size.flat = [index(one) for one in size.flat]
        elif size.dtype.kind not in "iu":
            raise TypeError
    except TypeError:
        kind = f"an array of {size.dtype}" if _is_array(size) else f"{size!r}"
        raise SizeError(f"{name} is {kind}, but sizes are integers") from None
    return size


def _wide_enough(expr: Expr, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes, with arrays widened: to 64 bits, or to Python integers where a result might not fit."""
    ratio = _ratio(expr, {name: _Peak(_largest(size)) if _is_array(size) else size for name, size in sizes.items()})
    kind: Any = "int64" if all(_peak(part).seen <= LARGEST for part in ratio) else object
    return {name: size.astype(kind) if _is_array(size) else size for name, size in sizes.items()}


def _largest(size: Any) -> int:
    return max(abs(int(size.max())), abs(int(size.min()))) if size.size else 0


class _Peak:
    """Takes the place of a number in a trial run: how large it can be, and all that it was computed from."""

    def __init__(self, size: int, *before: _Peak) -> None:
        self.size: int = size
        self.seen: int = max(size, *(peak.seen for peak in before)) if before else size

    def __add__(self, other: object) -> _Peak:
        return _Peak(self.size + _peak(other).size, self, _peak(other))

    def __mul__(self, other: object) -> _Peak:
        return _Peak(self.size * _peak(other).size, self, _peak(other))

    def __floordiv__(self, other: object) -> _Peak:
        return _Peak(max(self.size, 1), self, _peak(other))

    def __rfloordiv__(self, other: object) -> _Peak:
        return _peak(other) // self

    def __pow__(self, power: int) -> _Peak:
        return _Peak(max(self.size, 1) ** power, self)

    def __neg__(self) -> _Peak:
        return self

    __abs__ = __neg__
    __radd__ = __sub__ = __rsub__ = __add__
    __rmul__ = __mul__


def _peak(number: Any) -> _Peak:
    return number if isinstance(number, _Peak) else _Peak(abs(number))
