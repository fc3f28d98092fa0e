"""The words of a figure: its header with sizes and sums, and the legend of letters and lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from shapeviz.expr.notation import TEXT
from shapeviz.renderers._graph import Graph
from shapeviz.renderers._text import derived, humanize, missing, sizes
from shapeviz.renderers._themes import Theme
from shapeviz.report import Report

SEQUENCES = ("B", "S", "T", "V")


def variables(report: Report) -> frozenset[str]:
    """The letters that a figure keeps where it shows numbers: lengths, and what a traced module's inputs name."""
    return frozenset(SEQUENCES) | {name for name, meaning in report.legend.items() if meaning == "input dimension"}


def html(text: str) -> str:
    """Text for an HTML-like label; signs that XML cannot hold are left out."""
    return escape("".join(sign for sign in text if sign.isprintable()))


def spoken(title: str) -> str:
    """A title within a sentence: names with capitals of their own keep them.

    >>> spoken("Encoder layer"), spoken("LayerNorm")
    ('encoder layer', 'LayerNorm')
    """
    return title if any(sign.isupper() for sign in title[1:]) else title.lower()


class Words:
    """Header and legend of one figure, as HTML-like labels."""

    def __init__(self, report: Report, drawing: Graph, theme: Theme, column: str) -> None:
        self.report, self.graph, self.theme, self.column = report, drawing, theme, column

    def header(self) -> str:
        t = self.theme
        lines = [f'<FONT POINT-SIZE="19"><B>{html(self.heading())}</B></FONT>']
        lines += [f'<FONT POINT-SIZE="11" COLOR="{t.muted}">{html(text)}</FONT>' for text in self.settings()]
        for count, sums in self.costs():
            first, *more = sums
            bold = f'<FONT POINT-SIZE="12"><B>{html(count)}</B></FONT>'
            lines.append(f'{bold}<FONT POINT-SIZE="11" COLOR="{t.muted}">  =  {html(first)}</FONT>')
            lines += [f'<FONT POINT-SIZE="11" COLOR="{t.muted}">      +  {html(text)}</FONT>' for text in more]
        if text := missing(self.report, self.column) if not self.graph.root else "":
            lines.append(f'<FONT POINT-SIZE="10" COLOR="{t.muted}">{html(text)}</FONT>')
        cells = "".join(f'<TR><TD ALIGN="LEFT">{line}</TD></TR>' for line in lines)
        return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}<TR><TD HEIGHT="10"></TD></TR></TABLE>'

    def heading(self) -> str:
        row = self.report.row(self.graph.root) if self.graph.root else None
        return f"{row.title}   {row.path}" if row else self.report.title

    def settings(self) -> Iterable[str]:
        if self.graph.root and (equation := self.report.row(self.graph.root).equation):
            yield equation
        parts = sizes(self.report, self.names())
        lines = -(-len(parts) // 8)
        for start in range(lines):
            yield "   ·   ".join(parts[len(parts) * start // lines : len(parts) * (start + 1) // lines])
        if (rules := derived(self.report)) and not self.graph.root:
            yield "derived:  " + ",  ".join(rules)

    def names(self) -> frozenset[str] | None:
        """The sizes that a block's figure speaks of; all for the model."""
        if not self.graph.root:
            return None
        rows = [row for box in self.graph.boxes for row in box.rows]
        wires = [wire.dims for row in rows for wire in row.inputs]
        costs = tuple(cell.each for cell in self.report.row(self.graph.root).cells.values())
        sizes = [size for dims in (*(row.dims for row in rows), *wires) for size in dims]
        return frozenset().union(*(part.names for part in sizes), *(cost.names for cost in costs))

    def costs(self) -> Iterator[tuple[str, list[str]]]:
        """What it costs, as a sum in lines: repeated layers with their number, or the formula of one block."""
        if not self.graph.root:
            yield (
                f"{humanize(self.report.total[self.column].value)} {self.report.columns[self.column].title}",
                self.sum(),
            )
            return
        for column, cell in self.report.row(self.graph.root).cells.items():
            if cell.each.terms:
                value = f"{cell.value:,}" if column == "params" else humanize(cell.value)
                yield f"{value} {self.report.columns[column].title}", [cell.each.written(TEXT, factored=True)]

    def sum(self) -> list[str]:
        parts = []
        for row in self.report.children():
            for part in self.report.children(row.path) if row.role == "stack" else [row]:
                if value := part.cells[self.column].value:
                    number = f"{part.times.value} × " if part.times.value > 1 else ""
                    parts.append(f"{number}{humanize(value)} {spoken(part.title)}")
        return ["  +  ".join(parts[start : start + 4]) for start in range(0, len(parts), 4)] or ["none"]

    def legend(self) -> str:
        """Letters and lines, as an HTML-like table."""
        t = self.theme
        used = self.names() or variables(self.report)
        letters = [name for name in self.report.legend if name in used]
        words = [f"<B>{html(n)}</B>  {html(self.report.legend[n].split(',')[0])}" for n in letters]
        rows = ["     ".join(words[start : start + 4]) for start in range(0, len(words), 4)]
        roles = {edge.role for edge in self.graph.edges} if not self.graph.root else set()
        if "residual" in roles:
            rows.append(f'<FONT COLOR="{t.residual}">╌╌╌</FONT>  residual connection')
        if "memory" in roles:
            clusters = {box.id: box.cluster for box in self.graph.boxes}
            readers = dict.fromkeys(clusters[edge.target] for edge in self.graph.edges if edge.role == "memory")
            names = ", ".join(spoken(self.report.row(path).title) for path in readers if path)
            rows.append(f'<FONT COLOR="{t.memory}"><B>━━━</B></FONT>  memory, read by every {html(names)}')
        cell = f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="11" COLOR="{t.muted}">%s</FONT></TD></TR>'
        return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">{"".join(cell % row for row in rows)}</TABLE>'
