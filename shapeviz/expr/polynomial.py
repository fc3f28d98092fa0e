"""Exact polynomials in named dimensions: the data and the ring, with what is no polynomial as an opaque factor.

A term is a monomial, factors with their powers in the order in which they are printed, and its coefficient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import lcm, prod
from numbers import Integral, Rational
from operator import index
from typing import TYPE_CHECKING, Any, Union

from shapeviz.errors import ShapevizError, SizeError
from shapeviz.expr import names
from shapeviz.expr.names import can_name

if TYPE_CHECKING:
    from shapeviz.expr.notation import Notation

Number = Union[int, Fraction]
Factor = Union[str, "Atom"]
Monomial = tuple[tuple[Factor, int], ...]
Terms = Mapping[Monomial, Number]


@dataclass(frozen=True, eq=False)
class Atom:
    """`min`, `max`, `floor` or `ceil` of expressions: a factor that is no power of a dimension.

    Two atoms are equal if they are written alike; that they may mean the same is for `canonical` to find out.
    """

    function: str
    args: tuple[Expr, ...]

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return self.function, *(tuple(arg.terms.items()) for arg in self.args)

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Atom) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash


@cache
def factor_rank(factor: Factor) -> tuple[Any, ...]:
    """The order of factors: dimensions by their names, then atoms."""
    if isinstance(factor, str):
        return names.rank(factor)
    return (3, 0, factor.function, tuple(tuple((term_rank(m), c) for m, c in arg.terms.items()) for arg in factor.args))


@cache
def term_rank(monomial: Monomial) -> tuple[Any, ...]:
    """The order of terms: the highest degree first."""
    degree = sum(power for _, power in monomial)
    return (-degree, tuple((factor_rank(factor), -power) for factor, power in monomial))


@cache
def times(a: Monomial, b: Monomial) -> Monomial:
    """The product, its factors in order."""
    powers = dict(a)
    for factor, power in b:
        powers[factor] = powers.get(factor, 0) + power
    return tuple(sorted(((f, n) for f, n in powers.items() if n), key=lambda item: factor_rank(item[0])))


def denominator(terms: Iterable[tuple[Monomial, Number]]) -> tuple[Monomial, int]:
    """The least product that rids all terms of negative powers and fractions when they are multiplied by it."""
    powers: dict[Factor, int] = {}
    terms = list(terms)
    for monomial, _ in terms:
        for factor, power in monomial:
            if power < 0:
                powers[factor] = max(powers.get(factor, 0), -power)
    return times((), tuple(powers.items())), lcm(*(c.denominator for _, c in terms))


def _exact(number: Number) -> Number:
    return number.numerator if number.denominator == 1 else number


class Expr:
    """An exact expression; `==` is equality as mathematics, whatever the way it was built.

    >>> d, h = Expr.symbol("d_model"), Expr.symbol("h")
    >>> print((d + 1) ** 2, "|", d / h, "|", h * (d / h) == d)
    d_model² + 2·d_model + 1 | d_model/h | True
    """

    terms: Terms

    def __init__(self, terms: Terms | None = None) -> None:
        kept = [(m, _exact(c)) for m, c in (terms or {}).items() if c]
        self.terms = dict(kept if len(kept) < 2 else sorted(kept, key=lambda item: term_rank(item[0])))

    @staticmethod
    def symbol(name: str) -> Expr:
        """A named dimension. Raises SizeError unless the name is an identifier in all that formulas are written in."""
        if not can_name(name):
            raise SizeError(
                f"{name!r} cannot name a dimension: use letters, digits and _, and no word of Python or JavaScript"
            )
        return Expr({((name, 1),): 1})

    @staticmethod
    def atom(function: str, *args: Expr) -> Expr:
        """An atom as an expression, just as it is: `floor`, `ceil`, `minimum` and `maximum` simplify."""
        return Expr({((Atom(function, args), 1),): 1})

    @staticmethod
    def of(value: ExprLike) -> Expr:
        """An Expr from an int, a Fraction, the name of a dimension, or an Expr.

        >>> Expr.of("d_ff") * 4
        Expr('4·d_ff')
        """
        match value:
            case Expr():
                return value
            case str():
                return Expr.symbol(value)
            case int() | Fraction() | Integral():  # of Python or NumPy
                return Expr({(): value if isinstance(value, Fraction) else int(value)})
            case object(formula=Expr() as formula):  # a formula together with sizes
                return formula
        raise TypeError(f"an expression is made of integers and names, not of {type(value).__name__}")

    # the ring

    def __add__(self, other: ExprLike) -> Expr:
        terms = dict(self.terms)
        for monomial, coefficient in Expr.of(other).terms.items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Expr(terms)

    def __mul__(self, other: ExprLike) -> Expr:
        terms, factor = dict[Monomial, Number](), Expr.of(other).terms
        for m1, c1 in self.terms.items():
            for m2, c2 in factor.items():
                monomial = times(m1, m2)
                terms[monomial] = terms.get(monomial, 0) + c1 * c2
        return Expr(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Expr:
        return self * -1

    def __sub__(self, other: ExprLike) -> Expr:
        return self + -Expr.of(other)

    def __rsub__(self, other: ExprLike) -> Expr:
        return -self + other

    def __truediv__(self, other: ExprLike) -> Expr:
        """Exact division by a product of dimensions; a sum as divisor raises ShapevizError."""
        return self * Expr.of(other)._inverse()

    def __rtruediv__(self, other: ExprLike) -> Expr:
        return Expr.of(other) / self

    def __pow__(self, power: int) -> Expr:
        if index(power) < 0:
            return self._inverse() ** -power
        if len(self.terms) == 1 and power:
            ((monomial, coefficient),) = self.terms.items()
            return Expr({tuple((f, n * power) for f, n in monomial): coefficient**power})
        return prod([self] * power, start=Expr.of(1))

    def _inverse(self) -> Expr:
        if not self.terms:
            raise ZeroDivisionError("division of an expression by zero")
        if len(self.terms) > 1:
            raise ShapevizError(f"division by the sum {self} is not exact: divide by a product of dimensions")
        ((monomial, coefficient),) = self.terms.items()
        return Expr({tuple((f, -n) for f, n in monomial): Fraction(1) / coefficient})

    # equality

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expr):
            if not isinstance(other, Rational):
                return NotImplemented
            other = Expr.of(Fraction(other))
        # Two polynomials are equal only if their terms are: none but atoms can be written in several ways.
        return self.terms == other.terms or (
            bool(self.atoms or other.atoms) and self.normal.terms == other.normal.terms
        )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        same = self.normal if self.atoms else self
        return hash(same.terms.get((), 0) if same.is_constant else frozenset(same.terms.items()))

    # parts

    def __iter__(self) -> Iterator[Expr]:
        """The terms, each as an expression."""
        return (Expr({m: c}) for m, c in self.terms.items())

    @property
    def is_constant(self) -> bool:
        """True if no dimension occurs."""
        return not self.terms or list(self.terms) == [()]

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """The atoms among the factors, each once, in the order in which they are printed."""
        return tuple(dict.fromkeys(f for m in self.terms for f, _ in m if isinstance(f, Atom)))

    @cached_property
    def names(self) -> frozenset[str]:
        """The dimensions that occur.

        >>> sorted((Expr.of("S") * "w").names)
        ['S', 'w']
        """
        own = {factor for monomial in self.terms for factor, _ in monomial if isinstance(factor, str)}
        return frozenset(own).union(*(arg.names for atom in self.atoms for arg in atom.args))

    def __int__(self) -> int:
        value = self.terms.get((), 0)
        if not self.is_constant or value.denominator != 1:
            raise SizeError(f"{self} is no integer until its dimensions are given")
        return int(value)

    if TYPE_CHECKING:  # the functions over expressions, a file each; `shapeviz.expr` attaches them

        def __floordiv__(self, other: ExprLike) -> Expr: ...
        def __rfloordiv__(self, other: ExprLike) -> Expr: ...
        def at(self, sizes: Mapping[str, object] | None = None, /, **named: Any) -> Any: ...
        def split(self, names: Iterable[str]) -> tuple[Expr, Expr]: ...
        def subs(self, sizes: Mapping[str, ExprLike]) -> Expr: ...
        def written(self, way: Notation, factored: bool = False) -> str: ...
        @property
        def latex(self) -> str: ...
        @property
        def python(self) -> str: ...
        @property
        def javascript(self) -> str: ...
        @property
        def integral(self) -> bool: ...
        @property
        def normal(self) -> Expr: ...


ExprLike = Union[Expr, int, Fraction, str]


def total(parts: Iterable[Expr]) -> Expr:
    """The sum of many expressions, put in order once.

    >>> total([Expr.of("S"), Expr.of("S")])
    Expr('2·S')
    """
    terms: dict[Monomial, Number] = {}
    for part in parts:
        for monomial, coefficient in part.terms.items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
    return Expr(terms)


def product(factors: Iterable[ExprLike]) -> Expr:
    """The product of expressions.

    >>> product(["B", "S", 2])
    Expr('2·B·S')
    """
    return prod(map(Expr.of, factors), start=Expr.of(1))
