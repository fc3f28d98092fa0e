"""LaTeX: a document of its own, tables with booktabs, formulas as mathematics, derivations as aligned equations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shapeviz.page import (
    Cell,
    Code,
    Equation,
    Formula,
    Header,
    Page,
    Part,
    Shape,
    Span,
    Strong,
    Table,
    Text,
    plain,
    spans,
)
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._tex import BARS, NOTATION, code, equation, escape, symbol

PREAMBLE = r"""\documentclass[10pt,a4paper,fleqn]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,textcomp,amsmath,amssymb,booktabs,longtable,array}
\usepackage[margin=18mm]{geometry}
\setlength{\parindent}{0pt}\setlength{\parskip}{3pt plus 1pt}\setlength{\tabcolsep}{4pt}
\setlength{\LTpre}{4pt}\setlength{\LTpost}{6pt}\setlength{\emergencystretch}{3em}
\setlength{\mathindent}{0pt}\binoppenalty=100\relpenalty=50\allowdisplaybreaks
\raggedbottom
\newcommand{\room}{\par\vskip0pt plus 7\baselineskip\penalty-250\vskip0pt plus -7\baselineskip}
\begin{document}\raggedright"""
WIDTH = 116
"""Characters that stand side by side in a table, at its size of type."""
FORMULA = 72
"""Digits that stand side by side in an aligned equation, beside its label."""
SECTIONS = {2: "section", 3: "subsection"}


def render(page: Page, view: View) -> str:
    """The page as a document that pdflatex compiles with what Debian's texlive-latex-recommended and lmodern have."""
    lines = [PREAMBLE, rf"{{\Large\bfseries {escape(page.title)}\par}}\medskip"]
    if page.header:
        lines += _header(page.header)
    for part in page.parts:
        lines += _part(part)
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _header(header: Header) -> Iterator[str]:
    yield rf"Source: {escape(header.source)}.\par"
    if header.derived:
        yield rf"Derived: {', '.join(map(equation, header.derived))}.\par"
    rows = tuple(
        (_Letter(name), meaning, "–" if number is None else f"{number:,}") for name, meaning, number in header.glossary
    )
    yield from _grid(Table(("letter", "meaning", "value"), rows, right=frozenset({"value"})))


class _Letter(Code):
    """The letter of a size, which is set as in formulas."""


def _part(part: Part) -> Iterator[str]:
    match part:
        case Table():
            yield from map(_paragraph, part.above)
            if part.heading:
                heading = escape(part.heading)
                yield rf"\room\textbf{{{heading}}}\par" if part.minor else rf"\room\section*{{{heading}}}"
            if part.rows:
                yield from _derivation(part) if part.aligned else _grid(part)
            yield from map(_paragraph, part.below)
        case Text():
            yield from _text(part)


def _text(text: Text) -> Iterator[str]:
    if text.heading:
        yield rf"\room\{SECTIONS.get(text.level, 'subsection')}*{{{_cell(text.heading)}}}"
    yield from map(_paragraph, text.lines)
    if text.items:
        yield r"\begin{itemize}"
        yield from (rf"\item {_cell(item)}" for item in text.items)
        yield r"\end{itemize}"
    yield from (rf"{code(line) or '~'}\par" for line in text.code.splitlines())


def _paragraph(line: Cell) -> str:
    return rf"{_cell(line)}\par"


# spans


def _cell(cell: Cell) -> str:
    return "".join(map(_span, spans(cell))).strip()


def _span(span: Span) -> str:
    match span:
        case str():
            return escape(span)
        case _Letter():
            return f"${symbol(span.text)}$"
        case Code():
            return code(span.text)
        case Strong():
            return rf"\textbf{{{escape(span.text)}}}"
        case Equation():
            return equation(span.text)
        case Shape() | Formula():
            return f"${_maths(span)}$"


def _maths(span: Shape | Formula) -> str:
    if isinstance(span, Formula):
        return span.written(NOTATION, r" \times ")
    sizes = (str(size) if isinstance(size, int) else size.written(NOTATION) for size in span.sizes)
    comma = r",\allowbreak\, "
    return f"({comma.join(sizes)})"


# tables


def _grid(table: Table) -> Iterator[str]:
    """A table that goes on over pages, its wide columns folded."""
    yield rf"{{\footnotesize\begin{{longtable}}[l]{{@{{}}{_columns(table)}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(rf"\textbf{{{escape(name)}}}" for name in table.columns) + r" \\ \midrule \endhead"
    yield r"\bottomrule \endlastfoot"
    for depth, (first, *cells) in zip(table.depths, table.rows, strict=True):
        indent = rf"\hspace*{{{depth * 0.8:.1f}em}}" if depth else ""
        yield " & ".join([indent + _cell(first), *map(_cell, cells)]) + r" \\"
    yield r"\end{longtable}}"


def _columns(table: Table) -> str:
    """The kinds of column: right-aligned ones and narrow ones as wide as they are, the others share what is left."""
    widths = [max(map(len, column)) + 1 for column in zip(table.columns, *_texts(table), strict=True)]
    fixed = [name in table.right or width <= 12 for name, width in zip(table.columns, widths, strict=True)]
    if sum(widths) + 2 * len(widths) <= 0.9 * WIDTH:
        fixed = [True] * len(widths)
    room = WIDTH - sum(width + 2 for width, keep in zip(widths, fixed, strict=True) if keep)
    shares = _shared(max(room, 20), [0 if keep else width for width, keep in zip(widths, fixed, strict=True)])
    kinds = []
    for name, keep, share in zip(table.columns, fixed, shares, strict=True):
        narrow = "r" if name in table.right else "l"
        kinds.append(narrow if keep else rf">{{\raggedright\arraybackslash}}p{{{share / WIDTH:.3f}\linewidth}}")
    return "".join(kinds)


def _texts(table: Table) -> Iterator[tuple[str, ...]]:
    for depth, (first, *cells) in zip(table.depths, table.rows, strict=True):
        yield (" " * depth + _wide(first), *map(_wide, cells))


def _wide(cell: Cell) -> str:
    """Text as wide as the cell: letters of a typewriter are wider than those of a book, subscripts smaller."""
    text = BARS.sub("", plain(cell))
    match cell:
        case Code():
            return text + " " * (len(text) // 4)
        case Shape() | Formula():
            return text[: 1 + len(text) * 4 // 5]
    return text


def _shared(room: int, widths: Sequence[int]) -> list[float]:
    """Room for columns: what a narrow one does not need of its equal share goes to the wider ones."""
    shares = [0.0] * len(widths)
    left = [number for number, width in enumerate(widths) if width]
    while left:
        equal = room / len(left)
        small = [number for number in left if widths[number] + 2 <= equal]
        for number in small or left:
            shares[number] = min(float(widths[number] + 2), equal) if small else equal
        room -= round(sum(shares[number] for number in small))
        left = [number for number in left if number not in small] if small else []
    return [max(share - 2, 0.0) for share in shares]


# derivations


def _derivation(table: Table) -> Iterator[str]:
    """Every row as one equation: the label, then its cells under each other, all equal."""
    yield r"{\footnotesize\begin{align*}"
    yield " \\\\\n".join(_aligned(row) for row in table.rows)
    yield r"\end{align*}}\par"


def _aligned(row: Sequence[Cell]) -> str:
    label, formula, *values = row
    lines = [f"{sign} {line}" for sign, line in _folded(formula, "{}")]
    for value in values:
        lines += [f"{sign} {line}" for sign, line in _folded(value, "=")]
    head = rf"\parbox[t]{{40mm}}{{\raggedright {_cell(label)}}}\quad"
    return " \\\\\n".join(f"{head if number == 0 else ''} & {line}" for number, line in enumerate(lines))


def _folded(cell: Cell, sign: str) -> Iterator[tuple[str, str]]:
    """The mathematics of a cell in lines that fit, the first with the sign of equality."""
    spans_ = spans(cell)
    text = "".join(_maths(s) if isinstance(s, Shape | Formula) else rf"\text{{{_span(s)}}}" for s in spans_)
    line, sign_now = "", sign
    for piece in _pieces(text):
        if line and _length(line) + _length(piece) > FORMULA:
            yield sign_now, line
            line, sign_now = "", r"\qquad"
        line += piece
    yield sign_now, line


def _pieces(text: str) -> Iterator[str]:
    """A formula cut into terms, and terms that are too long for a line into factors."""
    for term in _cut(text, r"\+ |- "):
        yield from [term] if _length(term) <= FORMULA else _cut(term, r"\\times |\\cdot ")


def _cut(text: str, signs: str) -> Iterator[str]:
    """Cut before its signs of operation, but for those in braces and in tall brackets."""
    depth, start = 0, 0
    for match in re.finditer(rf"\\left\b|\\right\b|\\[{{}}]|[{{}}]| (?={signs})", text):
        mark = match[0]
        depth += (mark in ("{", r"\left")) - (mark in ("}", r"\right"))
        if mark == " " and not depth:
            yield text[start : match.start()]
            start = match.start()
    yield text[start:]


def _length(text: str) -> float:
    """How wide mathematics is, in digits: operators have room around them, subscripts are small."""
    operators = 2.6 * len(re.findall(r"\\times|[+=-] ", text)) + 1.6 * text.count(r"\cdot")
    scripts = "".join(re.findall(r"_\{((?:[^{}]|\{[^{}]*\})*)\}", text))
    letters = re.sub(r"\\[a-z]+|[{}_^\\+=\s]", "", text)
    small = re.sub(r"\\[a-z]+|[{}_^\\]", "", scripts)
    return operators + len(letters) - 0.3 * len(small)


renderer = Renderer(render, "A LaTeX document, formulas as mathematics.", suffixes=(".tex",))
