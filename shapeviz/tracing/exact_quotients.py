"""What follows from the conditions of a trace: quotients that are whole, and conditions that say nothing.

Where a module has relied on d being a multiple of h, ⌊d/h⌋ is d/h, and h·⌊d/h⌋ is d.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from shapeviz.expr import Atom, Expr
from shapeviz.expr.parts import mapped
from shapeviz.expr.polynomial import Factor
from shapeviz.ir import Condition

ROUNDED = ("floor", "ceil")


@dataclass
class ExactQuotients:
    """Names that are multiples of others: each stands for the other times a whole number while formulas are simplified.

    >>> from shapeviz.expr import floor
    >>> d, h = Expr.of("d"), Expr.of("h")
    >>> exact = ExactQuotients.of([Condition("", d, "=", h * floor(d / h))])
    >>> print(exact(h * floor(3 * d / h)), *(condition.text for condition in exact.conditions))
    3·d d divisible by h
    """

    conditions: list[Condition] = field(default_factory=list)
    _multiples: dict[str, Expr] = field(default_factory=dict)
    _wholes: dict[str, Expr] = field(default_factory=dict)

    @classmethod
    def of(cls, conditions: Iterable[Condition]) -> ExactQuotients:
        """What follows from these conditions; `conditions` has them again, in the form that says the most."""
        found, rest = cls(), []
        for condition in conditions:
            quotient = _whole(condition)
            if quotient is None or not found._add(quotient, condition.line):
                rest.append(condition)
        for condition in rest:
            if condition.left is not None and condition.right is not None:
                left, right = found(condition.left), found(condition.right)
                if always(left, condition.sign, right):
                    continue
                if (left, right) != (condition.left, condition.right):
                    condition = condition._replace(text=f"{left} {condition.sign} {right}", left=left, right=right)
            if all(condition.text != other.text for other in found.conditions):
                found.conditions.append(condition)
        found.conditions = strongest(found.conditions)
        return found

    @property
    def simplifies(self) -> bool:
        """True if there is a formula that it would change."""
        return bool(self._multiples)

    def __call__(self, expr: Expr) -> Expr:
        """The same where all conditions hold, without the rounding of what is whole."""
        if not expr.atoms or not self._multiples:
            return expr
        for _ in self._multiples:  # a multiple of a multiple
            expr = expr.subs(self._multiples)
        for _ in self._multiples:
            expr = expr.subs(self._wholes)
        return expr

    def _add(self, quotient: Expr, line: str) -> bool:
        """Notes that a quotient is whole, if that of a single name is; says whether it is."""
        quotient = self(quotient)
        if quotient.integral:
            return True
        ((monomial, coefficient),) = quotient.terms.items()
        above = [factor for factor, power in monomial if power > 0]
        name = above[0] if len(above) == 1 else None
        if (
            not isinstance(name, str)
            or dict(monomial)[name] != 1
            or coefficient.numerator != 1
            or name in self._multiples
        ):
            return False
        below = Expr.of(name) / quotient
        whole = f"whole_{len(self._multiples) + 1}"
        self._multiples[name], self._wholes[whole] = below * whole, quotient
        text = f"{name} divisible by {below}"
        self.conditions.append(Condition(text, Expr.atom("floor", quotient), "=", quotient, line))
        return True


def strongest(conditions: Iterable[Condition]) -> list[Condition]:
    """Of comparisons that differ by a number alone, as L > 1 and L > 2 do, the one that the others follow from."""
    kept: dict[object, tuple[Condition, Fraction | int]] = {}
    for condition in conditions:
        if condition.left is None or condition.right is None or condition.sign not in ("<", "≤", ">", "≥"):
            kept[condition] = condition, 0
            continue
        above = condition.sign in (">", "≥")
        difference = condition.left - condition.right if above else condition.right - condition.left
        constant = difference.terms.get((), 0)
        key = difference - constant, condition.sign in ("<", ">")
        if key not in kept or constant < kept[key][1]:
            kept[key] = condition, constant
    return [condition for condition, _ in kept.values()]


def _whole(condition: Condition) -> Expr | None:
    """The quotient a/b that is whole where an equality holds: its sides differ by a multiple of a/b - ⌊a/b⌋."""
    if condition.sign != "=" or condition.left is None or condition.right is None:
        return None
    difference = condition.left - condition.right
    for atom in difference.atoms:
        quotient = atom.args[0]
        if atom.function in ROUNDED and len(quotient.terms) == 1 and not _without(difference, atom, quotient).terms:
            return quotient
    return None


def always(left: Expr, sign: str, right: Expr) -> bool:
    """True if a comparison holds for all sizes, which are at least 1; False if that is not plain to see.

    >>> always(Expr.of("d"), "≤", 2 * Expr.of("d")), always(Expr.of("d"), ">", Expr.of(1))
    (True, False)
    """
    if sign == "=":
        return left == right
    difference = left - right if sign in (">", "≥") else right - left
    if any(c < 0 for m, c in difference.terms.items() if m):
        return sign == "≠" and always(right, ">", left)
    # at sizes of 1 it is least, powers below zero and rounded quotients excepted, which are at least 0
    least = sum(c for m, c in difference.terms.items() if all(isinstance(f, str) and p > 0 for f, p in m))
    return least >= 0 if sign in ("≤", "≥") else least > 0


def _without(expr: Expr, atom: Atom, value: Expr) -> Expr:
    """The expression with a value in place of an atom."""

    def replaced(factor: Factor, power: int) -> Expr:
        if factor == atom:
            return value**power
        return (Expr.of(factor) if isinstance(factor, str) else Expr.atom(factor.function, *factor.args)) ** power

    return mapped(expr, replaced)
