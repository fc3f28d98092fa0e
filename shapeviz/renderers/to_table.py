"""Plain text for a pipe, never truncated and without colour; on a terminal the same tables drawn by rich."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.page import Page, Table, Text, plain
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._fit import Line, Piece, fitted
from shapeviz.renderers._wrap import wrapped
from shapeviz.wording import WIDTH, folded, legible

STYLES = {
    "title": "bold", "heading": "bold", "total": "bold", "block": "bold", "columns": "dim", "stem": "dim",
    "share of model": "cyan", "output": "green", "shape": "green", "sizes": "green", "formula of one": "dim",
    "what happens": "dim", "note": "dim",
}  # fmt: skip


def render(page: Page, view: View) -> str:
    """The page as text, columns padded to their widest cell."""
    parts = [heading(page), *map(lines, shown(page))]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def shown(page: Page) -> Iterator[Table | Text]:
    """The parts that a terminal shows: all but pictures, and what only a document has."""
    for part in page.parts:
        if isinstance(part, Table | Text) and not part.document:
            yield part


def heading(page: Page, width: int = WIDTH) -> list[str]:
    """Title, sizes, what was derived, and the letters, in lines of at most this width."""
    header = page.header
    if header is None:
        return [legible(page.title)]
    sizes = folded(header.sizes, ", ", "sizes:   ", width)
    derived = folded(header.derived, ", ", "derived: ", width)
    if width < WIDTH and len(sizes) > 1 and len(derived) == 1 and len(sizes[-1] + "; " + derived[0]) <= width:
        sizes[-1:], derived = [f"{sizes[-1]}; {derived[0]}"], []  # where room is short, on one line
    return [
        legible(f"{page.title}   ({header.source})"),
        *sizes,
        *derived,
        *folded(header.letters, "; ", "letters: ", width),
    ]


def lines(part: Table | Text) -> list[str]:
    """A part as lines of text."""
    return table_lines(part) if isinstance(part, Table) else text_lines(part)


def text_lines(text: Text) -> list[str]:
    """A section of words."""
    heading = [plain(text.heading)] if text.heading else []
    return [*heading, *map(plain, text.lines), *(f"- {plain(item)}" for item in text.items), *text.code.splitlines()]


def table_lines(table: Table) -> list[str]:
    """A table as lines of text, its columns padded."""
    above, below = [*map(plain, table.above)], [*map(plain, table.below)]
    body = ["".join(piece.text for piece in line) for line in fitted(table)[0]]
    return [
        *above,
        *[""] * bool(above),
        *[table.heading] * bool(table.heading),
        *body,
        *[""] * bool(below),
        *below,
    ]


def draw(page: Page) -> None:
    """The page on a terminal, with colour unless NO_COLOR is set, in lines that it can hold."""
    from rich.console import Console
    from rich.text import Text as Styled

    console = Console(highlight=False)
    for line in drawn(page, console.width):
        styled = Styled.assemble(*((piece.text, STYLES.get(piece.kind, "")) for piece in line))
        console.print(styled, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def drawn(page: Page, width: int) -> Iterator[Line]:
    """The lines of a page for a terminal of some width, their pieces saying what they are."""
    title, *rest = heading(page, min(WIDTH, width))
    yield from _words(title, "title", width)
    for line in rest:
        yield from _words(line, "note", width, " " * 9)
    for part in shown(page):
        yield ()
        yield from _table(part, width) if isinstance(part, Table) else _text(part, width)


def _table(table: Table, width: int) -> Iterator[Line]:
    """One table, the lines above and below it, and what there was no room for."""
    for line in table.above:
        yield from _words(plain(line), "", width)
    if table.above:
        yield ()
    if table.heading:
        yield from _words(table.heading, "heading", width)
    lines, left = fitted(table, width) if table.rows else ([], [])
    yield from (line for line in lines if line[:1] and line[0].kind != "rule")
    if table.below:
        yield ()
    for number, line in enumerate(table.below):
        text = plain(line)
        yield from _words(text, "note" if number or "not counted: " in text else "total", width)
    if left:
        yield from _words(f"left out at this width: {', '.join(left)}", "note", width)


def _text(text: Text, width: int) -> Iterator[Line]:
    code = text.code.splitlines()
    words = text_lines(text)
    for line in words[: len(words) - len(code)]:
        yield from _words(line, "", width)
    yield from ((Piece(line),) for line in code)


def _words(text: str, kind: str, width: int, indent: str = "  ") -> Iterator[Line]:
    return ((Piece(line, kind),) for line in wrapped(text, width, indent))


renderer = Renderer(render, "Text, drawn in colour on a terminal.", suffixes=(".txt",), on_terminal=draw)
