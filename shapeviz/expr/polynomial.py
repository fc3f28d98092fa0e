"""Exact polynomials in named dimensions; what is no polynomial is an atom among their factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from math import prod
from numbers import Integral, Rational
from operator import index
from typing import Any, Union

from shapeviz.errors import ShapevizError, SizeError
from shapeviz.expr import notation
from shapeviz.expr.monomial import Atom, Monomial, Number, term_rank, times


def _exact(number: Number) -> Number:
    return number.numerator if number.denominator == 1 else number


class Expr:
    """An exact expression; `==` is equality as mathematics, whatever the way it was built.

    >>> d, h = Expr.symbol("d_model"), Expr.symbol("h")
    >>> print((d + 1) ** 2, "|", d / h, "|", h * (d / h) == d)
    d_model² + 2·d_model + 1 | d_model/h | True
    """

    __slots__ = ("__dict__", "terms")
    terms: Mapping[Monomial, Number]

    def __init__(self, terms: Mapping[Monomial, Number] | None = None) -> None:
        kept = [(m, _exact(c)) for m, c in (terms or {}).items() if c]
        self.terms = dict(kept if len(kept) < 2 else sorted(kept, key=lambda item: term_rank(item[0])))

    @staticmethod
    def symbol(name: str) -> Expr:
        """A named dimension. Raises SizeError unless the name is an identifier in all that formulas are written in."""
        if not notation.can_name(name):
            raise SizeError(
                f"{name!r} cannot name a dimension: use letters, digits and _, and no word of Python or JavaScript"
            )
        return Expr({((name, 1),): 1})

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
            case int() | Fraction():
                return Expr({(): value})
            case Integral():  # one of NumPy's
                return Expr({(): int(value)})
        raise TypeError(f"an expression is made of integers and names, not of {type(value).__name__}")

    # arithmetic

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

    def __floordiv__(self, other: ExprLike) -> Expr:
        from shapeviz.expr.atoms import floor

        return floor(self / other)

    def __rfloordiv__(self, other: ExprLike) -> Expr:
        return Expr.of(other) // self

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
        return self.terms == other.terms or self.normal.terms == other.normal.terms

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        same = self.normal
        return hash(same.terms.get((), 0) if same.is_constant else frozenset(same.terms.items()))

    @cached_property
    def normal(self) -> Expr:
        """The same value with its atoms written in the one way by which expressions are compared."""
        if not any(isinstance(f, Atom) for m in self.terms for f, _ in m):
            return self
        from shapeviz.expr.normal import normal

        return normal(self)

    # parts

    def __iter__(self) -> Iterator[Expr]:
        """The terms, each as an expression."""
        return (Expr({m: c}) for m, c in self.terms.items())

    @property
    def is_constant(self) -> bool:
        return not self.terms or list(self.terms) == [()]

    @cached_property
    def names(self) -> frozenset[str]:
        """The dimensions that occur.

        >>> sorted((Expr.of("S") * "w").names)
        ['S', 'w']
        """
        found: set[str] = set()
        for monomial in self.terms:
            for factor, _ in monomial:
                inner = [factor] if isinstance(factor, str) else [n for a in factor.args for n in a.names]
                found.update(inner)
        return frozenset(found)

    @property
    def integral(self) -> bool:
        """True if it is known to be an integer for all sizes.

        >>> S = Expr.of("S")
        >>> (S * (S + 1) / 2).integral, (S / 2).integral
        (True, False)
        """
        from shapeviz.expr.known import is_integer

        return is_integer(self)

    def split(self, names: Iterable[str]) -> tuple[Expr, Expr]:
        """The terms over these names alone, and the rest.

        >>> [str(part) for part in (Expr.of("V") * "d" + "d").split(["d"])]
        ['d', 'V·d']
        """
        known = frozenset(names)
        if self.names <= known:
            return self, Expr()
        parts: tuple[dict[Monomial, Number], dict[Monomial, Number]] = {}, {}
        for monomial, coefficient in self.terms.items():
            parts[not Expr({monomial: 1}).names <= known][monomial] = coefficient
        return Expr(parts[0]), Expr(parts[1])

    # numbers

    def at(self, sizes: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """The value at these sizes: an exact int (a Fraction where it is none), or an array if arrays are given.

        Arrays of NumPy's integers are evaluated elementwise, exactly: in 64 bits where the result is sure to
        fit, with Python integers otherwise. Raises SizeError if a dimension has no size.

        >>> (Expr.of("d_model") / "h").at(d_model=1024, h=6)
        Fraction(512, 3)
        """
        values = {**(sizes or {}), **named}
        if missing := sorted(self.names - values.keys()):
            raise SizeError(f"no size is given for {', '.join(missing)} in {self}")
        from shapeviz.expr.evaluate import value

        return value(self, values)

    def subs(self, sizes: Mapping[str, ExprLike]) -> Expr:
        """The expression with dimensions replaced by expressions or numbers, the others left.

        >>> (Expr.of("T") * "d").subs({"T": Expr.of("S")})
        Expr('S·d')
        """
        from shapeviz.expr.atoms import MAKERS

        def remade(atom: Atom) -> Expr:
            return MAKERS[atom.function](*(arg.subs(sizes) for arg in atom.args))

        return self._rebuilt(lambda name: Expr.of(sizes.get(name, name)), remade)

    def _rebuilt(self, symbol: Callable[[str], Expr], atom: Callable[[Atom], Expr]) -> Expr:
        total = Expr()
        for monomial, coefficient in self.terms.items():
            term = Expr.of(coefficient)
            for factor, power in monomial:
                term *= (symbol(factor) if isinstance(factor, str) else atom(factor)) ** power
            total += term
        return total

    def __int__(self) -> int:
        if not (self.is_constant and self.integral):
            raise SizeError(f"{self} is no integer until its dimensions are given")
        return int(self.terms.get((), 0))

    # text

    def __str__(self) -> str:
        return notation.write(self.terms)

    def __repr__(self) -> str:
        return f"Expr({str(self)!r})"

    def written(self, way: notation.Notation, factored: bool = False) -> str:
        """The text in a notation; with factors that all terms share taken out if asked.

        >>> d, k, h = map(Expr.of, ("d_model", "d_k", "h"))
        >>> print((3 * h * (d * k + k)).written(notation.TEXT, factored=True))
        3·h·(d_model·d_k + d_k)
        """
        from shapeviz.expr.atoms import cleared

        terms = cleared(self).terms if way.one_fraction else self.terms
        return (notation.write_factored if factored else notation.write)(terms, way)

    @property
    def latex(self) -> str:
        return self.written(notation.LATEX)

    @property
    def python(self) -> str:
        """Python text that SymPy parses; `sympify(text, locals={name: Symbol(name)})`."""
        return self.written(notation.SYMPY)

    @property
    def javascript(self) -> str:
        return self.written(notation.JAVASCRIPT)


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
