"""How an expression is written: text, LaTeX, Python for SymPy, JavaScript, or with numbers in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Written(Protocol):
    """What a notation needs of an expression: its terms and, of an atom, function and arguments."""

    @property
    def terms(self) -> Mapping[Any, int | Fraction]: ...


@dataclass(frozen=True)
class Notation:
    """The few choices in which ways of writing mathematics differ."""

    times: str
    symbol: Callable[[str], str]
    power: Callable[[str, int], str]
    quotient: Callable[[str, str, bool], str]
    functions: Mapping[str, tuple[str, str]]
    number: Callable[[int], str] = str


def _divided(above: str, below: str, several: bool) -> str:
    return f"{above}/({below})" if several else f"{above}/{below}"


def _latex_symbol(name: str) -> str:
    head, _, tail = name.partition("_")
    if not tail:
        return head if len(head) == 1 else rf"\mathrm{{{head}}}"
    tail = tail.replace("_", r"\_")
    return f"{head}_{{{tail}}}" if len(tail) == 1 else rf"{head}_{{\mathrm{{{tail}}}}}"


TEXT = Notation(
    times="·",
    symbol=str,
    power=lambda base, n: base + str(n).translate(SUPERSCRIPTS),
    quotient=_divided,
    functions={"min": ("min(", ")"), "max": ("max(", ")"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")},
)
LATEX = Notation(
    times=r" \cdot ",
    symbol=_latex_symbol,
    power=lambda base, n: f"{base}^{{{n}}}",
    quotient=lambda above, below, several: rf"\frac{{{above}}}{{{below}}}",
    functions={
        "min": (r"\min\left(", r"\right)"),
        "max": (r"\max\left(", r"\right)"),
        "floor": (r"\left\lfloor ", r" \right\rfloor"),
        "ceil": (r"\left\lceil ", r" \right\rceil"),
    },
)
SYMPY = Notation(
    times="*",
    symbol=str,
    power=lambda base, n: f"{base}**{n}",
    quotient=_divided,
    functions={
        "min": ("Min(", ")"),
        "max": ("Max(", ")"),
        "floor": ("floor(", ")"),
        "ceil": ("ceiling(", ")"),
    },
)
JAVASCRIPT = replace(
    SYMPY,
    functions={name: (f"Math.{name}(", ")") for name in ("min", "max", "floor", "ceil")},
)


def substituted(sizes: Mapping[str, int]) -> Notation:
    """The notation of a substitution: `3 × 6 × (1024 × 128 + 128)`; unknown names stay names."""
    return replace(TEXT, times=" × ", symbol=lambda name: str(sizes[name]) if name in sizes else name)


def write(expr: Written, notation: Notation = TEXT) -> str:
    """The expression as a sum of terms."""
    if not expr.terms:
        return "0"
    parts = []
    for monomial, coefficient in expr.terms.items():
        sign = "-" if coefficient < 0 else "+"
        parts += [sign, _term(monomial, coefficient if coefficient > 0 else -coefficient, notation)]
    text = " ".join(parts)
    return text[2:] if parts[0] == "+" else "-" + text[2:]


def _term(monomial: Any, coefficient: int | Fraction, notation: Notation) -> str:
    above = [_factor(f, n, notation) for f, n in monomial if n > 0]
    below = [_factor(f, -n, notation) for f, n in monomial if n < 0]
    if coefficient.numerator != 1 or not above:
        above.insert(0, notation.number(coefficient.numerator))
    if coefficient.denominator != 1:
        below.insert(0, notation.number(coefficient.denominator))
    numerator = notation.times.join(above)
    if not below:
        return numerator
    return notation.quotient(numerator, notation.times.join(below), len(below) > 1)


def _factor(factor: Any, power: int, notation: Notation) -> str:
    if isinstance(factor, str):
        base = notation.symbol(factor)
    else:
        left, right = notation.functions[factor.function]
        base = left + ", ".join(write(arg, notation) for arg in factor.args) + right
    return base if power == 1 else notation.power(base, power)
