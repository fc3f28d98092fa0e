"""The ways of writing: text, LaTeX, Python for SymPy, JavaScript, or text with numbers in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

DIGITS, RAISED = "0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
SUPERSCRIPTS = str.maketrans(DIGITS, RAISED)
READ_SUPERSCRIPTS = str.maketrans(RAISED, DIGITS)
# Every sign that a formula may be written with, as Python's, and every function as an atom's.
SIGNS = {
    "·": "*", "×": "*", "⋅": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "^": "**",
}  # fmt: skip
CALLS = {
    **{name: name for name in ("min", "max", "floor", "ceil")},
    **{f"Math.{name}": name for name in ("min", "max", "floor", "ceil")},
    **{"Min": "min", "Max": "max", "ceiling": "ceil"},
}


@dataclass(frozen=True)
class Notation:
    """The few choices in which ways of writing mathematics differ.

    `one_fraction`: to be divided only once, at the end, since what evaluates the text rounds every quotient.
    `bar`: quotients have a bar, which keeps together a sum above it. `for_reading`: ⌊S/2 + 1/2⌋ is written as ⌈S/2⌉.
    """

    times: str
    symbol: Callable[[str], str]
    power: Callable[[str, int], str]
    quotient: Callable[[str, str, bool], str]
    functions: Mapping[str, tuple[str, str]]
    negative: Callable[[str], str] = "-{}".format
    one_fraction: bool = False
    bar: bool = False
    for_reading: bool = False


def _divided(above: str, below: str, several: bool) -> str:
    return f"{above}/({below})" if several else f"{above}/{below}"


def _latex_symbol(name: str) -> str:
    head, _, tail = name.partition("_")
    return f"{_latex_word(head)}_{{{_latex_word(tail)}}}" if head and tail else _latex_word(name)


def _latex_word(word: str) -> str:
    escaped = word.replace("_", r"\_")
    return escaped if len(word) == 1 else rf"\mathrm{{{escaped}}}"


def _latex_fraction(above: str, below: str, several: bool) -> str:
    return rf"\frac{{{above}}}{{{below}}}"


TEXT = Notation(
    for_reading=True,
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
    bar=True,
    for_reading=True,
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


def read_superscript(text: str) -> int:
    """
    >>> read_superscript("⁻¹²")
    -12
    """
    return int(text.translate(READ_SUPERSCRIPTS))


def substituted(sizes: Mapping[str, int]) -> Notation:
    """The notation of a substitution: `3 × 6 × (1024 × 128 + 128)`; unknown names stay names."""
    return replace(TEXT, times=" × ", symbol=lambda name: str(sizes[name]) if name in sizes else name)
