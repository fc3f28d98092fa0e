"""From a Report to a Figure: which figures a model has, and what stands in their boxes and on their wires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from shapeviz.figure import Box, Chip, Cluster, Figure, Wire
from shapeviz.figure.captions import Captions
from shapeviz.figure.graph import Edge, Graph, Node, graph, has_own_figure
from shapeviz.report import Report, Row
from shapeviz.wording import exact, numeric, rounded, symbolic, times

RESULTS = {"head": "logits", "softmax": "probabilities"}


def draw(report: Report, name: str = "model", column: str = "params") -> Figure:
    """The figure of the `model`, of a kind of block (`multi_head`, `attention`, …) or of a block's path.

    Costs are those of the column, or of the report's first if it has no such. Raises InputError for an unknown name.
    """
    shown = column if column in report.columns else next(iter(report.columns))
    return Drawing(report, graph(report, name), shown).figure()


def own_figures(report: Report) -> dict[str, str]:
    """The figures that a model has besides those of single paths, with their titles: its own first."""
    kinds = {row.block: row.role for row in report.rows if has_own_figure(report, row)}
    return {"model": "The model", **{kind: _figure_title(kind, role) for kind, role in kinds.items()}}


def _figure_title(kind: str, role: str) -> str:
    """`multi_head` of role attention is Multi-head attention, `mixture_of_experts` Mixture of experts."""
    words = kind.replace("_", " ")
    if role == "attention" and role not in kind.lower():
        words = f"{kind.replace('_', '-')} {role}"
    return words[0].upper() + words[1:]


@dataclass
class Drawing:
    """One figure on its way from the graph of its boxes to data."""

    report: Report
    graph: Graph
    column: str

    def figure(self) -> Figure:
        captions = Captions(self.report, self.graph, self.column)
        clusters = dict.fromkeys(node.cluster for node in self.graph.nodes)
        return Figure(
            title=self.report.title,
            root=self.graph.root,
            heading=captions.heading(),
            settings=tuple(captions.settings()),
            sums=tuple(captions.sums()),
            missing=captions.missing(),
            inputs=tuple(map(self.entry, self.graph.entries)),
            boxes=tuple(map(self.box, self.graph.nodes)),
            wires=tuple(map(self.wire, self.graph.edges)),
            clusters=tuple(self.cluster(path) for path in clusters if path),
            letters=tuple(captions.letters()),
            roles=tuple(captions.roles()),
        )

    @cached_property
    def memory(self) -> set[str]:
        return {edge.source for edge in self.graph.edges if edge.role == "memory"}

    def cluster(self, path: str) -> Cluster:
        row = self.report.row(path)
        return Cluster(path, row.title, int(row.times.value), self.tooltip(row))

    # boxes

    def box(self, node: Node) -> Box:
        return Box(
            id=node.id,
            cluster=node.cluster,
            kind=self.kind(node),
            title=self.title(node),
            details=tuple(self.details(node)),
            cost=self.cost(node),
            tooltip="; ".join(map(self.tooltip, node.rows)),
            shape=self.shape(node),
        )

    def kind(self, node: Node) -> str:
        row = node.last if node.last.role == "norm" else node.first
        if row.role == "attention" and any(wire.role == "memory" for wire in row.inputs):
            return "cross"
        # weights stand in linear layers: a product of two activations is Q Kᵀ or P V, a part of attention
        return "attention" if row.block == "matmul" else row.role

    def title(self, node: Node) -> str:
        first, last = node.first, node.last
        if first.role == "failed":
            return f"✗ {first.block}"
        if first.block == "add":
            return f"Add & {last.title}" if len(node.rows) > 1 else "Add"
        if first.block == "matmul":
            divisors = (row.title.partition("/ ")[2] for row in node.rows if row.block == "scale")
            return first.title + "".join(f" / {divisor}" for divisor in divisors)
        formula = any(sign in first.title for sign in "·⊙=(")
        text = first.title if formula else first.title[0].upper() + first.title[1:]
        if first.title == first.block and first.title[:1].isupper():  # a class, of which a module may have many
            text = f"{first.name}: {text}"
        return f"{text} {times(first)}".rstrip()

    def details(self, node: Node) -> Iterator[str]:
        """Under the title: the sizes, what is drawn in the same box, where keys and values come from."""
        if node.first.caption or node.first.role == "failed":
            yield node.first.caption or node.first.equation
        for row in node.rows[1:]:
            if row.role != "norm" and row.block != "scale":
                yield ("+ " if row.role == "embedding" else "") + row.title.lower()
        if self.kind(node) == "cross":
            reader = node.first.path.partition(".")[0]
            yield f"Q ← {reader}, K, V ← memory" if node.first.block == "multi_head" else "reads memory"

    def cost(self, node: Node) -> str:
        """`1.05 M`, of parameters; other costs say what they are. Empty for what costs nothing."""
        value = sum(row.cells[self.column].value for row in node.rows)
        if not value:
            return ""
        column = self.report.columns[self.column]
        return rounded(value, column.unit) + (f" {column.title}" if self.column != "params" else "")

    def tooltip(self, row: Row) -> str:
        costs = [(self.report.columns[name].title, cell) for name, cell in row.cells.items() if cell.each.terms]
        cells = [f"{title}: {cell.each} = {exact(cell.value)}" for title, cell in costs]
        return "; ".join([f"{row.path}: {row.equation}", f"{symbolic(row.dims)} = {numeric(row)}", *cells])

    # shapes

    def entry(self, path: str) -> Chip:
        """The shape that comes in from outside, named after where it was made if there are several."""
        wire = next(w for node in self.graph.nodes for row in node.rows for w in row.inputs if w.source == path)
        values = self.report.sizes.numbers
        numbers = ", ".join(str(size.at(values) if size.names <= values.keys() else size) for size in wire.dims)
        name = path.rpartition(".")[2].replace("_", " ") if len(self.graph.entries) > 1 else "x"
        symbols = symbolic(wire.dims)
        return Chip(f"in:{path}", "", symbols, f"({numbers})", name, f"input {symbols} = ({numbers})")

    def shape(self, node: Node) -> Chip:
        row, id, cluster = node.last, f"shape:{node.id}", self.graph.cluster_of_shape(node)
        tooltip = f"{row.path}: {symbolic(row.dims)} = {numeric(row)}"
        if row.silent:
            return Chip(id, cluster, "–", tooltip=tooltip)
        if self.graph.root:
            return Chip(id, cluster, symbolic(row.dims), numeric(row), tooltip=tooltip)
        return Chip(id, cluster, self.mixed(row), note=self.note(node), tooltip=tooltip)

    def mixed(self, row: Row) -> str:
        """`(B, S, 512)`: in the model's figure lengths stay letters, what the model fixes is a number."""
        kept = Captions.variables(self.report)
        parts = [
            str(size) if number is None or not size.names.isdisjoint(kept) else str(number)
            for size, number in zip(row.dims, row.shape, strict=True)
        ]
        return f"({', '.join(parts)})"

    def note(self, node: Node) -> str:
        if node.last.block == "input":
            return node.last.equation
        return "memory" if node.id in self.memory else RESULTS.get(node.last.block, "")

    # wires

    def wire(self, edge: Edge) -> Wire:
        source = ("in:" if edge.source in self.graph.entries else "shape:") + edge.source
        if edge.role == "memory" and not self.graph.root:
            return Wire(source, edge.target, "memory", f"{edge.source}: read by {edge.target} in every repetition")
        # inside one block, what it is given as memory is an input like the others
        return Wire(source, edge.target, "residual" if edge.role == "residual" else "data")
