"""How an expression is written: text, LaTeX, Python for SymPy, JavaScript, or with numbers in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from keyword import iskeyword
from math import gcd

from shapeviz.expr.monomial import Factor, Monomial, Number, Terms, denominator, term_rank, times

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# What JavaScript keeps for itself, and what formulas call: no dimension can have such a name.
TAKEN = {
    "arguments", "case", "catch", "const", "debugger", "default", "delete", "do", "enum", "eval", "export", "extends",
    "function", "implements", "instanceof", "interface", "let", "new", "null", "package", "private", "protected",
    "public", "static", "super", "switch", "this", "throw", "typeof", "var", "void", "true", "false", "undefined",
    "Infinity", "NaN", "Math", "Min", "Max", "floor", "ceiling", "Integer",
}  # fmt: skip


@dataclass(frozen=True)
class Notation:
    """The few choices in which ways of writing mathematics differ.

    `one_fraction`: to be divided only once, at the end, since what evaluates the text rounds every quotient.
    """

    times: str
    symbol: Callable[[str], str]
    power: Callable[[str, int], str]
    quotient: Callable[[str, str, bool], str]
    functions: Mapping[str, tuple[str, str]]
    negative: Callable[[str], str] = "-{}".format
    one_fraction: bool = False


def _divided(above: str, below: str, several: bool) -> str:
    return f"{above}/({below})" if several else f"{above}/{below}"


def _latex_symbol(name: str) -> str:
    head, _, tail = name.partition("_")
    return f"{_latex_word(head)}_{{{_latex_word(tail)}}}" if head and tail else _latex_word(name)


def _latex_word(word: str) -> str:
    escaped = word.replace("_", r"\_")
    return escaped if len(word) == 1 else rf"\mathrm{{{escaped}}}"


def _latex_fraction(above: str, below: str, several: bool) -> str:
    above = above[1:-1] if above.startswith("(") else above  # nothing but a sum in brackets, which the bar replaces
    return rf"\frac{{{above}}}{{{below}}}"


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
    quotient=_latex_fraction,
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
    negative=lambda term: f"-({term})" if "**" in term else f"-{term}",  # -S**2 is a syntax error
    one_fraction=True,
    functions={name: (f"Math.{name}(", ")") for name in ("min", "max", "floor", "ceil")},
)


def substituted(sizes: Mapping[str, int]) -> Notation:
    """The notation of a substitution: `3 × 6 × (1024 × 128 + 128)`; unknown names stay names."""
    return replace(TEXT, times=" × ", symbol=lambda name: str(sizes[name]) if name in sizes else name)


def can_name(name: str) -> bool:
    """True if it is one and the same identifier in every notation."""
    if not name.isascii():
        from unicodedata import normalize

        if normalize("NFKC", name) != name or "·" in name:
            return False
    return name.isidentifier() and not iskeyword(name) and name not in TAKEN


def write(terms: Terms, notation: Notation = TEXT) -> str:
    """A sum of terms."""
    if notation.one_fraction and len(terms) > 1:
        return _product((), 1, terms, notation)
    return _sum(terms, notation)


def _sum(terms: Terms, notation: Notation) -> str:
    text = ""
    for monomial, coefficient in terms.items():
        term = _term(monomial, coefficient, notation)
        if text:
            text += f" - {term}" if coefficient < 0 else f" + {term}"
        else:
            text = notation.negative(term) if coefficient < 0 else term
    return text or "0"


def write_factored(terms: Terms, notation: Notation = TEXT) -> str:
    """A product of what all terms share and the sum that remains."""
    return _product(*_shared(terms), notation) if len(terms) > 1 else write(terms, notation)


def _product(monomial: Monomial, number: Number, terms: Terms, notation: Notation) -> str:
    if notation.one_fraction:
        below, divisor = denominator(terms.items())
        terms = {times(m, below): c * divisor for m, c in terms.items()}
        monomial, number = times(monomial, _inverse(below)), Fraction(number, divisor)
    text = _sum(terms, notation)
    if not monomial and number == 1:
        return text
    text = _term(monomial, number, notation, f"({text})")
    return notation.negative(text) if number < 0 else text


def _inverse(monomial: Monomial) -> Monomial:
    return tuple((factor, -power) for factor, power in monomial)


def _shared(terms: Terms) -> tuple[Monomial, Number, Terms]:
    """What all terms share, and what remains; a lone 1 takes a dimension back in: h·(d·k + k), not h·k·(d + 1)."""
    powers = [dict(m) for m in terms]
    shared: dict[Factor, int] = {}
    for factor in powers[0]:
        least, most = (side(p.get(factor, 0) for p in powers) for side in (min, max))
        shared[factor] = max(least, 0) or min(most, 0)
    number = Fraction(gcd(*(c.numerator for c in terms.values())), gcd(*(c.denominator for c in terms.values())))
    if all(c < 0 for c in terms.values()):
        number = -number
    above = [factor for factor, power in shared.items() if power > 0]
    if above and abs(terms.get(times((), tuple(shared.items())), 0)) == abs(number):
        shared[above[-1]] -= 1
    monomial = times((), tuple(shared.items()))
    rest = {times(m, _inverse(monomial)): c / number for m, c in terms.items()}
    return monomial, number, dict(sorted(rest.items(), key=lambda item: term_rank(item[0])))


def _term(monomial: Monomial, coefficient: Number, notation: Notation, bracket: str = "") -> str:
    """The term without its sign."""
    above = [_factor(f, n, notation) for f, n in monomial if n > 0] + [bracket] * bool(bracket)
    below = [_factor(f, -n, notation) for f, n in monomial if n < 0]
    if abs(coefficient.numerator) != 1 or not above:
        above.insert(0, str(abs(coefficient.numerator)))
    if coefficient.denominator != 1:
        below.insert(0, str(coefficient.denominator))
    numerator = notation.times.join(above)
    if not below:
        return numerator
    return notation.quotient(numerator, notation.times.join(below), len(below) > 1)


def _factor(factor: Factor, power: int, notation: Notation) -> str:
    if isinstance(factor, str):
        base = notation.symbol(factor)
    else:
        left, right = notation.functions[factor.function]
        base = left + ", ".join(write(arg.terms, notation) for arg in factor.args) + right
    return base if power == 1 else notation.power(base, power)
