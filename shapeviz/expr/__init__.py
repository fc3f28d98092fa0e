"""Expr: exact polynomials in named dimensions, the one number type of every size, count and cost.

A dimension is a positive integer with a name. Powers may be negative (`d_model / h` is exact), coefficients
are rational, and what is no polynomial (`min`, `max`, `⌊x⌋`, `⌈x⌉`) is an atom with a numeric rule.

In two storeys: `polynomial` is the data and the ring, to which an atom is opaque. Above it stands a file for each
thing to be done with an expression, and none imports a file that imports it:

    notation, write     text, LaTeX, Python for SymPy, JavaScript
    factor              what several terms share taken out, for reading; with divisors and products
    parse               formulas read from text, of all these ways of writing but LaTeX
    evaluate            the value at sizes
    integrality         what is an integer for all sizes
    rounding, min_max   floor and ceil, minimum and maximum
    parts, substitute   terms over some dimensions; dimensions replaced by expressions
    canonical           equality of expressions with atoms; loaded for the first that are compared
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shapeviz.errors import SizeError
from shapeviz.expr import integrality, notation, parts, substitute, write
from shapeviz.expr.min_max import maximum, minimum
from shapeviz.expr.polynomial import Atom, Expr, ExprLike, product, total
from shapeviz.expr.rounding import ceil, floor

__all__ = ["Atom", "Expr", "ExprLike", "ceil", "floor", "maximum", "minimum", "notation", "product", "total"]


def _at(self: Expr, sizes: Mapping[str, object] | None = None, /, **named: Any) -> Any:
    """The value at these sizes: an exact int (a Fraction where it is none), or an array if arrays are given.

    Arrays of NumPy's integers are evaluated elementwise, exactly: in 64 bits where the result is sure to
    fit, with Python integers otherwise. Raises SizeError if a dimension has no size.

    >>> (Expr.of("d_model") / "h").at(d_model=1024, h=6)
    Fraction(512, 3)
    """
    values = {**(sizes or {}), **named}
    if missing := sorted(self.names - values.keys()):
        raise SizeError(f"no size is given for {', '.join(missing)} in {self}")
    from shapeviz.expr.evaluate import value  # what only counts terms and writes them needs no values

    return value(self, values)


def _normal(self: Expr) -> Expr:
    """The same value with its atoms written in the one way by which expressions are compared."""
    if not self.atoms:
        return self
    from shapeviz.expr.canonical import normal  # rarely needed, and as long as all the rest

    return normal(self)


def _attach(name: str, function: Any) -> None:
    """Makes a function a method or property of Expr, as `polynomial` declares it."""
    setattr(Expr, name, function)
    if isinstance(function, cached_property):
        function.__set_name__(Expr, name)


_attach("at", _at)
_attach("split", parts.split)
_attach("subs", substitute.subs)
_attach("written", write.written)
_attach("latex", property(write.latex))
_attach("python", property(write.python))
_attach("javascript", property(write.javascript))
_attach("integral", property(integrality.is_integer))
_attach("normal", cached_property(_normal))
_attach("__str__", write.text)
_attach("__repr__", lambda self: f"Expr({str(self)!r})")
_attach("__floordiv__", lambda self, other: floor(self / other))
_attach("__rfloordiv__", lambda self, other: floor(Expr.of(other) / self))
