"""The value of an expression at sizes: exact integers of any size, or NumPy arrays elementwise.

Every value is kept as a fraction (numerator, denominator) of integers, so that one rule serves Python's
integers and arrays alike and nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from shapeviz.errors import SizeError
from shapeviz.expr.atoms import denominator
from shapeviz.expr.monomial import Atom, Factor
from shapeviz.expr.polynomial import Expr

LARGEST = 2**63 - 1


def value(expr: Expr, sizes: Mapping[str, Any]) -> Any:
    """The value at sizes that are integers or arrays of them.

    Raises SizeError on a division by zero.

    >>> value(Expr.of("h") ** 40 * "d", {"h": 10, "d": 3}) == 3 * 10**40
    True
    """
    used = {name: sizes[name] for name in expr.names}
    if any(hasattr(v, "dtype") for v in used.values()):
        used = _wide_enough(expr, used)
    above, below = _ratio(expr, used)
    if (below == 0) if isinstance(below, int) else (below == 0).any():
        raise SizeError(f"division by zero in {expr}")
    if hasattr(above, "dtype") or hasattr(below, "dtype"):
        return above // below if (above % below == 0).all() else above / below
    result = Fraction(above, below)
    return result.numerator if result.denominator == 1 else result


def _ratio(expr: Expr, sizes: Mapping[str, Any]) -> tuple[Any, Any]:
    divisor = denominator(expr)
    return _integer(expr * divisor, sizes), _integer(divisor, sizes)


def _integer(expr: Expr, sizes: Mapping[str, Any]) -> Any:
    """The value of integer coefficients and positive powers."""
    total: Any = 0
    for monomial, coefficient in expr.terms.items():
        term: Any = int(coefficient)
        for factor, power in monomial:
            term = term * _factor(factor, sizes) ** power
        total = total + term
    return total


def _factor(factor: Factor, sizes: Mapping[str, Any]) -> Any:
    if not isinstance(factor, Atom):
        return sizes[factor]
    if factor.function in ("floor", "ceil"):
        above, below = _ratio(factor.args[0], sizes)
        return above // below if factor.function == "floor" else -(-above // below)
    values = [value(arg, sizes) for arg in factor.args]
    result = values[0]
    for other in values[1:]:
        larger = (result + other + abs(result - other)) // 2
        result = larger if factor.function == "max" else result + other - larger
    return result


def _wide_enough(expr: Expr, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes, with arrays widened: to 64 bits, or to Python integers where a result might not fit."""
    for name, size in sizes.items():
        if hasattr(size, "dtype") and size.dtype.kind not in "iuO":
            raise SizeError(f"{name} is an array of {size.dtype}: sizes are integers")
    peaks = {n: int(abs(v).max()) if hasattr(v, "dtype") else abs(v) for n, v in sizes.items() if getattr(v, "size", 1)}
    if len(peaks) < len(sizes):
        peaks = dict.fromkeys(sizes, 0)
    kind = "int64" if _bound(expr, peaks) <= LARGEST else object
    return {n: v.astype(kind) if hasattr(v, "dtype") else v for n, v in sizes.items()}


def _bound(expr: Expr, peaks: Mapping[str, int]) -> int:
    """No intermediate result can be larger in magnitude, as long as sizes are at least 1."""
    divisor = denominator(expr)
    total = 0
    for part in (expr * divisor, divisor):
        for monomial, coefficient in part.terms.items():
            term = abs(int(coefficient))
            for factor, power in monomial:
                inner = peaks[factor] if isinstance(factor, str) else 2 * sum(_bound(a, peaks) for a in factor.args)
                term *= max(inner, 1) ** power
            total += term
    return total
