"""Plain text for a pipe, never truncated and without colour; on a terminal the same tables drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapeviz.renderers import View
from shapeviz.renderers._tables import Table, branches, tables
from shapeviz.renderers._text import derived, legend, sizes, spoken
from shapeviz.report import Report

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "share of model": "cyan", "output": "green", "shape": "green", "sizes": "green", "formula of one": "dim",
    "what happens": "dim", "note": "dim",
}  # fmt: skip


def render(report: Report, view: View) -> str:
    """The view as text, columns padded to their widest cell."""
    parts = ["\n".join(heading(report, view)), *("\n".join(plain(table)) for table in tables(report, view))]
    return "\n\n".join(parts) + "\n"


def heading(report: Report, view: View) -> list[str]:
    """Title, sizes, what was derived, and the letters, of those that the view speaks of."""
    every = view.verb not in ("trace", "params", "flops")
    names = None if every else spoken(report, {view.verb})
    lines = [f"{report.title}   ({report.source})"]
    lines += _folded("sizes:   ", sizes(report, names), ", ")
    lines += _folded("derived: ", derived(report), ", ")
    lines += _folded("letters: ", legend(report, names), "; ")
    return lines


def _folded(head: str, parts: list[str], comma: str, width: int = 118) -> list[str]:
    """A list in lines of at most this width, where its parts allow it; no line for an empty one."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(comma) + len(part) <= width:
            lines[-1] += comma + part
        else:
            lines.append((" " * len(head) if lines else head) + part)
    return lines


def plain(table: Table) -> list[str]:
    """A table as lines of text, its columns padded."""
    stems = branches(table.depths)
    body = [(stem + row[0], *row[1:]) for stem, row in zip(stems, table.rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(table.columns, *body, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        aligned = (
            cell.rjust(width) if name in table.right else cell.ljust(width)
            for cell, width, name in zip(cells, widths, table.columns, strict=True)
        )
        return "  ".join(aligned).rstrip()

    rule = "  ".join("─" * width for width in widths)
    head = [table.heading] if table.heading else []
    return [
        *table.above,
        *([""] if table.above else []),
        *head,
        line(table.columns),
        rule,
        *map(line, body),
        *(["", *table.below] if table.below else []),
    ]


def draw(report: Report, view: View) -> None:
    """The view on a terminal, with colour unless NO_COLOR is set, folded to its width."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    title, *rest = heading(report, view)
    console.print(Text(title, style="bold"))
    for text in rest:
        console.print(Text(text, style="dim"))
    for table in tables(report, view):
        console.print()
        draw_table(console, table)


def draw_table(console: Console, table: Table) -> None:
    """One table on a terminal, its lines above and below."""
    from rich.table import Table as Drawn
    from rich.text import Text

    for text in table.above:
        console.print(Text(text))
    if not table.rows:
        console.print(Text("\n".join([table.heading, *table.below])))
        return
    drawn = Drawn(title=Text(table.heading, style="bold"), title_justify="left", box=None, pad_edge=False)
    for name in table.columns:
        justify = "right" if name in table.right else "left"
        keep = name in table.right or name == table.columns[0]
        drawn.add_column(Text(name, style="dim"), justify=justify, no_wrap=keep, overflow="fold")  # type: ignore[arg-type]
    for stem, row, block in zip(branches(table.depths), table.rows, table.blocks, strict=True):
        first = Text(stem, style="dim").append(row[0], style="bold" if block else "")
        rest_cells = (Text(cell, style=_style(name)) for cell, name in zip(row[1:], table.columns[1:], strict=True))
        drawn.add_row(first, *rest_cells)
    console.print(drawn)
    for number, text in enumerate(table.below):
        console.print(Text(text, style="bold" if number == 0 else "dim"))


def _style(column: str) -> str:
    return STYLES.get(column, "")
