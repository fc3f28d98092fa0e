"""Sums of products with sums in brackets: what is written of an expression, and how many symbols that takes."""

from __future__ import annotations

from typing import NamedTuple

from shapeviz.expr.polynomial import Factor, Monomial, Number, Terms


class Product(NamedTuple):
    """A number, a monomial and sums in brackets, multiplied; a Sum is several of them, added."""

    number: Number
    monomial: Monomial
    brackets: tuple[Sum, ...] = ()


Sum = tuple[Product, ...]


def expanded(terms: Terms) -> Sum:
    """The terms, one by one."""
    return tuple(Product(c, m) for m, c in terms.items())


def symbols(x: Sum) -> int:
    """How many names and numbers are written, exponents among them.

    >>> symbols((Product(2, (("S", 1), ("h", 2))), Product(1, ())))  # 2·S·h² + 1
    5
    """
    return sum(map(_product_symbols, x))


def _product_symbols(x: Product) -> int:
    above = bool(x.brackets) or any(power > 0 for _, power in x.monomial)
    own = sum(factor_symbols(factor) + (abs(power) != 1) for factor, power in x.monomial)
    return number_symbols(x.number, above) + own + sum(map(symbols, x.brackets))


def number_symbols(number: Number, above: bool) -> int:
    """Those of a coefficient: a 1 is written only where nothing else stands `above` a fraction bar."""
    return (abs(number.numerator) != 1 or not above) + (number.denominator != 1)


def factor_symbols(factor: Factor) -> int:
    """Those of a factor without its power; an atom's function is one, too."""
    return 1 if isinstance(factor, str) else 1 + sum(symbols(expanded(arg.terms)) for arg in factor.args)
