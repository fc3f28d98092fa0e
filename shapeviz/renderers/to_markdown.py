"""Markdown for GitHub: a page with its tables, pictures and text; names from outside cannot break out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shapeviz.page import Cell, Code, Header, Page, Part, Picture, Span, Strong, Table, Text, plain, spans
from shapeviz.renderers import Renderer, View
from shapeviz.wording import legible


def render(page: Page, view: View) -> str:
    """The page as Markdown."""
    parts = [f"# {escape(page.title)}", *(_header(page.header) if page.header else [])]
    for part in page.parts:
        parts += _part(part)
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text whose signs mean nothing to Markdown or HTML.

    >>> escape("a|<i>") == "a" + chr(92) + "|&lt;i&gt;"
    True
    """
    safe = legible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", safe).replace("\n", " ")


def code(text: str) -> str:
    """A code span, its fence longer than any run of backticks inside.

    >>> code("d_k"), code("a`b")
    ('`d_k`', '`` a`b ``')
    """
    text = legible(text.replace("\n", " "))
    if "`" not in text:
        return f"`{text}`" if text else ""
    fence = "`" * (max(map(len, re.findall("`+", text))) + 1)
    return f"{fence} {text} {fence}"


def grid(table: Table) -> str:
    """A table in Markdown."""
    rule = ["---:" if name in table.right else "---" for name in table.columns]
    lines = [_bar(map(escape, table.columns)), _bar(rule)]
    for depth, (first, *cells) in zip(table.depths, table.rows, strict=True):
        if table.aligned and cells:
            formula, *values = cells
            cells = [formula, *(("= ", Code(plain(value))) for value in values)]
        lines.append(_bar(["&emsp;" * depth + _cell(first), *map(_cell, cells)]))
    return "\n".join(lines)


def _part(part: Part) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part)
        case Picture() if part.link:
            yield from [] if part.minor else [f"## Figure: {escape(part.title)}"]
            yield f"![{escape(part.title)}]({part.link})"
        case Text():
            yield from _text(part)


def _table(table: Table) -> Iterator[str]:
    if table.above:
        yield _lines(table.above)
    if table.heading:
        heading = escape(table.heading)
        yield f"**{heading}**" if table.minor else f"## {heading}"
    if table.rows:
        yield grid(table)
    yield from [_lines(table.below)] if table.minor else map(_line, table.below)


def _text(text: Text) -> Iterator[str]:
    if text.heading:
        yield f"{'#' * text.level} {_cell(text.heading)}"
    if text.lines:
        yield _lines(text.lines)
    if text.items:
        yield "\n".join(f"- {_cell(item)}" for item in text.items)
    if text.code:
        yield _fenced(text.code)


def _fenced(text: str) -> str:
    """A text as it is, its fence longer than any of its own."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _bar(cells: Iterable[str]) -> str:
    safe = (re.sub(r"(?<!\\)\|", r"\|", cell) for cell in cells)
    return f"| {' | '.join(safe)} |"


def _cell(cell: Cell) -> str:
    return "".join(map(_span, spans(cell))).strip()


def _span(span: Span) -> str:
    match span:
        case str():
            return escape(span)
        case Strong():
            return f"**{escape(span.text)}**"
        case _:
            return code(str(span))


def _lines(lines: Iterable[Cell]) -> str:
    """Lines that stay lines, in one paragraph."""
    return "  \n".join(map(_line, lines))


def _line(line: Cell) -> str:
    """Prose: formulas and shapes within it are words like the others."""
    return "".join(_word(span) for span in spans(line)).strip()


def _word(span: Span) -> str:
    return _span(span) if isinstance(span, Code | Strong) else escape(str(span))


def _header(header: Header) -> list[str]:
    rows = [
        f"| {code(name)} | {escape(meaning)} | {'–' if number is None else number} |"
        for name, meaning, number in header.glossary
    ]
    rules = ", ".join(map(code, header.derived))
    source = f"Source: {escape(header.source)}." + (f" Derived: {rules}." if rules else "")
    return [source, "\n".join(["| letter | meaning | value |", "|---|---|---:|", *rows])]


renderer = Renderer(render, "Markdown for GitHub.", suffixes=(".md",), aliases=("md",))
