"""Expr: exact polynomials in named dimensions, the one number type of every size, count and cost.

A dimension is a positive integer with a name. Powers may be negative (`d_model / h` is exact), coefficients
are rational, and what is no polynomial (`min`, `max`, `⌊x⌋`, `⌈x⌉`) is an atom with a numeric rule.
"""

from shapeviz.expr.atoms import ceil, floor, maximum, minimum
from shapeviz.expr.monomial import Atom
from shapeviz.expr.polynomial import Expr, ExprLike, product, total

__all__ = ["Atom", "Expr", "ExprLike", "ceil", "floor", "maximum", "minimum", "product", "total"]
