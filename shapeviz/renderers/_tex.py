"""Text, names, equations and formulas in TeX: whatever the text, what comes out compiles under pdflatex."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from unicodedata import normalize

from shapeviz.expr.notation import LATEX

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_\allowbreak{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", '"': r"\textquotedbl{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}", "-": "{-}", ",": "{,}", ".": r".\allowbreak{}", "–": r"\textendash{}",
    "—": r"\textemdash{}", "…": r"\dots{}", "’": "{'}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "ᵀ": r"\textsuperscript{T}",
}  # fmt: skip
GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho sigmaf sigma tau upsilon phi"
MATHS = {
    **{chr(0x3B1 + i): rf"\{name}" for i, name in enumerate(GREEK.split()) if name not in ("o", "sigmaf")},
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda",
    "Π": r"\prod", "Σ": r"\sum", "Φ": r"\Phi", "Ω": r"\Omega", "·": r"\cdot", "×": r"\times", "⊙": r"\odot",
    "⊕": r"\oplus", "⊗": r"\otimes", "∥": r"\parallel", "∘": r"\circ", "√": r"\surd", "∞": r"\infty", "∂": r"\partial",
    "←": r"\leftarrow", "→": r"\to", "↦": r"\mapsto", "⇒": r"\Rightarrow", "≤": r"\le", "≥": r"\ge", "≠": r"\ne",
    "≈": r"\approx", "≡": r"\equiv", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "∪": r"\cup", "∩": r"\cap",
    "⌈": r"\lceil", "⌉": r"\rceil", "⌊": r"\lfloor", "⌋": r"\rfloor", "−": "-", "±": r"\pm", "∑": r"\sum",
    "∏": r"\prod", "∫": r"\int", "✓": r"\checkmark", "✗": r"\times", "⋅": r"\cdot", "ℓ": r"\ell", "∧": r"\wedge",
    "∨": r"\vee", "¬": r"\neg", "∀": r"\forall", "∃": r"\exists", "…": r"\dots", "²": "^{2}", "³": "^{3}",
    "∗": r"\ast", "*": r"\ast", "ϕ": r"\varphi", "ε": r"\varepsilon", "½": r"\tfrac{1}{2}", "⟨": r"\langle",
    "⟩": r"\rangle", "′": "'",
}  # fmt: skip
SUPERSCRIPTS = {sign: str(number) for number, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} | {"⁻": "-", "ᵀ": r"\top"}
BARS = re.compile("[█▏▎▍▌▋▊▉]+")
SIGNS = re.compile("[=←↦√⊙∥^≈≤≥∈Σσ·⌈⌊ᵀ]|[A-Za-z0-9)] [+/×−] [A-Za-z0-9(√]")
TOKENS = re.compile(
    r"(?P<spaces>\s+)|(?P<name>[A-Za-z][A-Za-z0-9]+(?:_[A-Za-z][A-Za-z0-9]+)*|[A-Za-z])"
    r"|(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ]+)|(?P<script>[_^])|(?P<sign>.)",
    re.DOTALL,
)


def escape(text: str) -> str:
    """Text in which no sign means anything to TeX; what its fonts lack is written by its number.

    >>> print(escape("50 % of {x}"))
    50 \\% of \\{x\\}
    """
    return "".join(map(_sign, normalize("NFC", " ".join(BARS.sub("", text).split(" ")))))


def _sign(sign: str) -> str:
    if sign in SPECIAL:
        return SPECIAL[sign]
    if sign in MATHS:
        return rf"\ensuremath{{{MATHS[sign]}}}"
    if sign in SUPERSCRIPTS:
        return rf"\textsuperscript{{{SUPERSCRIPTS[sign]}}}"
    if not sign.isprintable():
        return " "
    latin = sign.isascii() or ("À" <= sign <= "ÿ")  # what the T1 encoding surely has
    return sign if latin else rf"\texttt{{U+{ord(sign):04X}}}"


def code(text: str) -> str:
    """A name in typewriter letters."""
    return rf"\texttt{{{escape(text)}}}" if text else ""


def symbol(name: str) -> str:
    """A size in mathematics: `d_{\\mathrm{model}}`; what is not ASCII as text."""
    return LATEX.symbol(name) if name.isascii() else rf"\text{{{escape(name)}}}"


NOTATION = replace(LATEX, symbol=symbol)


def equation(text: str) -> str:
    """An equation of Unicode text as mathematics, or words as they are if it has no sign of any.

    >>> print(equation("y = x W_Q^i / √d_k"), "|", equation("split into heads"))
    $y = x\\, W_{Q}^{i} / \\sqrt{d_{k}}$ | split into heads
    """
    return f"${maths(text)}$" if SIGNS.search(text) else escape(text)


def maths(text: str) -> str:
    """Text in mathematical mode."""
    tokens = [(str(match.lastgroup), match[0]) for match in TOKENS.finditer(text)]
    return _Reader(tokens).all()


class _Reader:
    """Tokens of an equation, written one by one; whatever does not close or repeats stays harmless."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.place = tokens, 0

    def all(self) -> str:
        return "".join(self.pieces())

    def pieces(self) -> Iterator[str]:
        scripts = ""  # those that the last name has: a second of the same kind would be an error of TeX
        while self.place < len(self.tokens):
            kind, text = self.tokens[self.place]
            mark = {"raised": "^", "script": text}.get(kind, "")
            if mark and mark in scripts:
                yield "{}"
                scripts = ""
            scripts = scripts + mark if mark else ""
            yield self.one()

    def one(self) -> str:
        kind, text = self.tokens[self.place]
        self.place += 1
        match kind:
            case "spaces":
                return r"\quad " if len(text) > 1 else self._space()
            case "name":
                return self._name(text)
            case "number":
                return text.replace(",", "{,}")
            case "raised":
                return f"^{{{''.join(SUPERSCRIPTS[sign] for sign in text)}}}"
            case "script":
                return f"{text}{{{self._argument()}}}"
        if text == "√":
            return self._root()
        return MATHS[text] + " " if text in MATHS else self._literal(text)

    def _space(self) -> str:
        """A product is written side by side: names with a space between them keep a small one."""
        names = ("name", "number")
        before = self.tokens[self.place - 2] if self.place > 1 else ("", "")
        after = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
        close = before[0] in (*names, "raised") or before[1] in ")]⌉⌋"
        if before[0] == after[0] == "name" and len(before[1]) > 1 and len(after[1]) > 1:
            return r"\ \allowbreak "  # words of a sentence
        return r"\, " if close and (after[0] in names or after[1] in "([⌈⌊σγβ") else " "

    def _name(self, text: str) -> str:
        return text if len(text) == 1 else rf"\mathrm{{{text.replace('_', chr(92) + '_')}}}"

    def _argument(self) -> str:
        """What a subscript or a superscript holds: the next token, or what stands in braces or brackets."""
        inner = self._bracketed("{", "}")
        if inner is not None:
            return inner
        if self.place < len(self.tokens) and self.tokens[self.place][0] in ("name", "number"):
            return self.one()
        return r"\_" if self.place and self.tokens[self.place - 1][1] == "_" else ""

    def _root(self) -> str:
        inner = self._bracketed("(", ")")
        if inner is not None:
            return rf"\sqrt{{{inner}}}"
        if self.place < len(self.tokens) and self.tokens[self.place][0] in ("name", "number"):
            inner = self.one()
            if self.place < len(self.tokens) and self.tokens[self.place][1] == "_":
                inner += self.one()
            return rf"\sqrt{{{inner}}}"
        return r"\surd "

    def _bracketed(self, left: str, right: str) -> str | None:
        """What stands in the brackets that open here, written; None if none open or they do not close."""
        depth = 0
        for end in range(self.place, len(self.tokens)):
            depth += (self.tokens[end][1] == left) - (self.tokens[end][1] == right)
            if not depth:
                inner = self.tokens[self.place + 1 : end]
                if end == self.place:
                    return None
                self.place = end + 1
                return _Reader(inner).all()
        return None

    def _literal(self, sign: str) -> str:
        if sign in ",;":
            return sign + r"\allowbreak "
        return sign if sign in "+-/=()[]:!" else rf"\text{{{escape(sign)}}}"
