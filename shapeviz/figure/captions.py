"""The words around a figure: its header with sizes and sums, and the legend of letters and lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shapeviz.expr.notation import TEXT
from shapeviz.figure import Sum
from shapeviz.figure.graph import Graph
from shapeviz.report import Report
from shapeviz.wording import derived, exact, missing, rounded, sizes, spoken

SEQUENCES = ("B", "S", "T", "V")
DIMENSION = "dimension "  # so begins the meaning of a letter that a module's inputs name


def within_sentence(title: str) -> str:
    """A title within a sentence: names with capitals of their own keep them.

    >>> within_sentence("Encoder layer"), within_sentence("LayerNorm")
    ('encoder layer', 'LayerNorm')
    """
    return title if any(sign.isupper() for sign in title[1:]) else title.lower()


@dataclass(frozen=True)
class Captions:
    """Header and legend of one figure, as plain lines."""

    report: Report
    graph: Graph
    column: str

    @staticmethod
    def variables(report: Report) -> frozenset[str]:
        """The letters that a figure keeps where it shows numbers: lengths, and what a module's inputs name."""
        return frozenset(SEQUENCES) | {name for name, meaning in report.legend.items() if meaning.startswith(DIMENSION)}

    def heading(self) -> str:
        if not self.graph.root:
            return self.report.title
        row = self.report.row(self.graph.root)
        return f"{row.title}   {row.path}"

    def settings(self) -> Iterator[str]:
        """The equation of a block, the sizes in lines of at most eight, what is derived, the order of unlike layers."""
        if self.graph.root and (equation := self.report.row(self.graph.root).equation):
            yield equation
        parts = sizes(self.report, self.names() or spoken(self.report, [self.column]))
        lines = -(-len(parts) // 8)
        for start in range(lines):
            yield "   ·   ".join(parts[len(parts) * start // lines : len(parts) * (start + 1) // lines])
        if (rules := derived(self.report)) and not self.graph.root:
            yield "derived:  " + ",  ".join(rules)
        # layers that take turns are drawn a kind at a time: the picture alone would say that they stand in blocks
        for row in self.report.rows:
            if row.order is not None and row.path.startswith(self.graph.root):
                yield f"order of the layers:  {row.order}"

    def names(self) -> frozenset[str] | None:
        """The sizes that a block's figure speaks of; None, all of them, for the model."""
        if not self.graph.root:
            return None
        rows = [row for node in self.graph.nodes for row in node.rows]
        dims = [*(row.dims for row in rows), *(wire.dims for row in rows for wire in row.inputs)]
        costs = [cell.each.names for cell in self.report.row(self.graph.root).cells.values()]
        return frozenset().union(*costs, *(size.names for shape in dims for size in shape))

    def sums(self) -> Iterator[Sum]:
        """What it costs: the model as a sum of its layers with their number, a block by the formula of each cost."""
        if not self.graph.root:
            whole = self.report.columns[self.column]
            yield Sum(f"{rounded(whole.total.value, whole.unit)} {whole.title}", self.parts())
            return
        for name, cell in self.report.row(self.graph.root).cells.items():
            if cell.each.terms:
                column = self.report.columns[name]
                value = exact(cell.value) if name == "params" else rounded(cell.value, column.unit)
                formula = (cell.each.written(TEXT, factored=True),) if cell.each.names else ()
                yield Sum(f"{value} {column.title}", formula)

    def parts(self) -> tuple[str, ...]:
        """`6 × 4.47 M encoder layer  +  …`, four to a line."""
        parts = []
        for row in self.report.children():
            for part in self.report.children(row.path) if row.role == "stack" else [row]:
                if value := part.cells[self.column].value:
                    number = f"{part.times.value} × " if part.times.value > 1 else ""
                    parts.append(
                        f"{number}{rounded(value, self.report.columns[self.column].unit)} {within_sentence(part.title)}"
                    )
        lines = ("  +  ".join(parts[start : start + 4]) for start in range(0, len(parts), 4))
        return tuple(lines) or ("none",)

    def missing(self) -> str:
        """What the model's cost leaves out, with the reason."""
        return missing(self.report, self.column) if not self.graph.root else ""

    def letters(self) -> Iterator[tuple[str, str]]:
        """The letters in use with their meanings."""
        used = self.names() or self.variables(self.report)
        for name, meaning in self.report.legend.items():
            if name in used:
                yield name, meaning.split(",")[0]

    def roles(self) -> Iterator[tuple[str, str]]:
        """The wires of the model's figure that are not plain data, with what they are."""
        roles = {edge.role for edge in self.graph.edges} if not self.graph.root else set()
        if "residual" in roles:
            yield "residual", "residual connection"
        if "memory" in roles:
            clusters = {node.id: node.cluster for node in self.graph.nodes}
            readers = dict.fromkeys(clusters[edge.target] for edge in self.graph.edges if edge.role == "memory")
            names = ", ".join(within_sentence(self.report.row(path).title) for path in readers if path)
            yield "memory", f"memory, read by every {names}"
