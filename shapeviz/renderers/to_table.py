"""Plain text for a pipe, never truncated and without colour; on a terminal the same tables drawn by rich."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapeviz.page import Cell, Page, Table, Text, plain
from shapeviz.renderers import Renderer, View
from shapeviz.wording import WIDTH, folded, legible

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
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
    lines = [legible(f"{page.title}   ({header.source})")]
    lines += folded(header.sizes, ", ", "sizes:   ", width)
    lines += folded(header.derived, ", ", "derived: ", width)
    lines += folded(header.letters, "; ", "letters: ", width)
    return lines


def lines(part: Table | Text) -> list[str]:
    """A part as lines of text."""
    return table_lines(part) if isinstance(part, Table) else text_lines(part)


def text_lines(text: Text) -> list[str]:
    """A section of words."""
    heading = [plain(text.heading)] if text.heading else []
    return [*heading, *map(plain, text.lines), *(f"- {plain(item)}" for item in text.items), *text.code.splitlines()]


def rows(table: Table) -> list[tuple[str, ...]]:
    """The cells as text; what is equal to the cell before begins with the sign for that."""
    return [tuple(_equated(table, number, cell) for number, cell in enumerate(row)) for row in table.rows]


def _equated(table: Table, number: int, cell: Cell) -> str:
    text = plain(cell).replace("\n", "\\n")  # a line break in a name would break the table
    return f"= {text}" if table.aligned and number > 1 else text


def table_lines(table: Table) -> list[str]:
    """A table as lines of text, its columns padded."""
    stems = branches(table.depths)
    body = [(stem + first, *others) for stem, (first, *others) in zip(stems, rows(table), strict=True)]
    widths = [max(map(len, column)) for column in zip(table.columns, *body, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        aligned = (
            cell.rjust(width) if name in table.right else cell.ljust(width)
            for cell, width, name in zip(cells, widths, table.columns, strict=True)
        )
        return "  ".join(aligned).rstrip()

    above, below = [*map(plain, table.above)], [*map(plain, table.below)]
    return [
        *above,
        *[""] * bool(above),
        *[table.heading] * bool(table.heading),
        line(table.columns),
        "  ".join("─" * width for width in widths),
        *map(line, body),
        *[""] * bool(below),
        *below,
    ]


def branches(depths: tuple[int, ...]) -> list[str]:
    """The lines of a tree before each entry: `│  └─ `.

    >>> branches((0, 1, 1, 0))
    ['', '├─ ', '└─ ', '']
    """
    stems = []
    for i, depth in enumerate(depths):
        marks = []
        for level in range(1, depth + 1):
            later = next((d for d in depths[i + 1 :] if d <= level), 0)
            more = later == level
            marks.append(("├─ " if more else "└─ ") if level == depth else ("│  " if more else "   "))
        stems.append("".join(marks))
    return stems


def draw(page: Page) -> None:
    """The page on a terminal, with colour unless NO_COLOR is set, folded to its width."""
    from rich.console import Console
    from rich.text import Text as Styled

    console = Console(highlight=False)
    title, *rest = heading(page, min(WIDTH, console.width))
    console.print(Styled(title, style="bold"))
    for text in rest:
        console.print(Styled(text, style="dim"))
    for part in shown(page):
        console.print()
        if isinstance(part, Table):
            draw_table(console, part)
        else:
            console.print(Styled("\n".join(text_lines(part))))


def draw_table(console: Console, table: Table) -> None:
    """One table on a terminal, its lines above and below."""
    from rich.table import Table as Drawn
    from rich.text import Text as Styled

    for line in table.above:
        console.print(Styled(plain(line)))
    if not table.rows:
        console.print(Styled("\n".join([table.heading, *map(plain, table.below)])))
        return
    drawn = Drawn(title=Styled(table.heading, style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in table.columns:
        justify = "right" if name in table.right else "left"
        keep = name in table.right or name == table.columns[0]
        drawn.add_column(Styled(name, style="dim"), justify=justify, no_wrap=keep, overflow="fold")  # type: ignore[arg-type]
    for stem, (name, *others), block in zip(branches(table.depths), rows(table), table.blocks, strict=True):
        first = Styled(stem, style="dim").append(name, style="bold" if block else "")
        cells = zip(others, table.columns[1:], strict=True)
        drawn.add_row(first, *(Styled(cell, style=STYLES.get(column, "")) for cell, column in cells))
    own = console.width
    console.width = max(own, _least(table))
    console.print(drawn)
    console.width = own
    for number, line in enumerate(table.below):
        console.print(Styled(plain(line), style="bold" if number == 0 else "dim"))


def _least(table: Table) -> int:
    """The width below which names or digits would be cut off; on a narrower terminal its own lines go on below."""
    body = [(stem + first, *others) for stem, (first, *others) in zip(branches(table.depths), rows(table), strict=True)]
    widths = [max(map(len, column)) for column in zip(table.columns, *body, strict=True)]
    kept = {table.columns[0], *table.right}
    least = [width if name in kept else min(width, 8) for name, width in zip(table.columns, widths, strict=True)]
    return sum(least) + 2 * (len(least) - 1)


renderer = Renderer(render, "Text, drawn in colour on a terminal.", suffixes=(".txt",), on_terminal=draw)
