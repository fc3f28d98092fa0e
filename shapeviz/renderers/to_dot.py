"""Graphviz: boxes top to bottom, shapes as chips on the wire, repeated layers folded, every label computed."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.errors import InputError, nearest
from shapeviz.renderers import View
from shapeviz.renderers._graph import Box, Edge, Graph, graph
from shapeviz.renderers._text import humanize, numeric, symbolic, times
from shapeviz.renderers._themes import THEMES, Theme
from shapeviz.renderers._words import Words, html, variables
from shapeviz.report import Report, Row

SANS = "Inter,Helvetica Neue,Helvetica,Arial,sans-serif"
MONO = "JetBrains Mono,DejaVu Sans Mono,Menlo,Consolas,monospace"
RESULTS = {"head": "logits", "softmax": "probabilities"}


def render(report: Report, view: View) -> str:
    """The figure of the view in DOT. Raises InputError for an unknown figure or theme."""
    if view.theme not in THEMES:
        raise InputError(f"unknown theme {view.theme!r}; {nearest(view.theme, THEMES)}")
    column = view.verb if view.verb in report.columns else next(iter(report.columns))
    return "\n".join(Writer(report, graph(report, view.figure), THEMES[view.theme], column).lines()) + "\n"


def quoted(text: str) -> str:
    """A DOT string.

    >>> print(quoted('say "hi"'))
    "say \\"hi\\""
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


class Writer:
    """One figure on its way to text."""

    def __init__(self, report: Report, drawing: Graph, theme: Theme, column: str) -> None:
        self.report, self.graph, self.theme, self.column = report, drawing, theme, column
        self.words = Words(report, drawing, theme, column)
        self.memory = {edge.source for edge in drawing.edges if edge.role == "memory"}

    def lines(self) -> Iterator[str]:
        t = self.theme
        yield "digraph shapeviz {"
        yield (
            f"  graph [rankdir=TB newrank=true compound=true splines=spline nodesep=0.6 ranksep=0.18 pad=0.35 "
            f'bgcolor="{t.background}" fontname="{SANS}" fontcolor="{t.text}" labelloc=t labeljust=l '
            f"tooltip={quoted(html(self.report.title))} label=<{self.words.header()}>];"
        )
        yield (
            f'  node [shape=box style="filled,rounded" penwidth=1.1 margin="0.14,0.06" height=0.46 '
            f'fontname="{SANS}" fontcolor="{t.text}"];'
        )
        yield f'  edge [color="{t.data}" penwidth=1.2 arrowsize=0.65 fontname="{SANS}" fontcolor="{t.muted}"];'
        yield from (self.chip(f"in:{path}", *self.entry(path)) for path in self.graph.entries)
        clusters = dict.fromkeys(box.cluster for box in self.graph.boxes)
        for cluster in clusters:
            yield from self.cluster(cluster) if cluster else self.contents("")
        yield from self.wires()
        yield from self.ranks()
        yield from self.legend()
        yield "}"

    def cluster(self, path: str) -> Iterator[str]:
        t, row = self.theme, self.report.row(path)
        side = "l" if row.times.value < 100 else "r"  # a wide badge would lie on the wire
        badge = (
            f'<TD BGCOLOR="{t.text}" STYLE="ROUNDED"><FONT POINT-SIZE="13" COLOR="{t.background}">'
            f"<B> × {row.times.value:,} </B></FONT></TD>"
        )
        yield f"  subgraph {quoted('cluster_' + path)} {{"
        yield (
            f'    style="filled,rounded" fillcolor="{t.panel}" color="{t.border}" penwidth=1.4 margin=20 '
            f"labeljust={side} "
            f'fontname="{SANS}" id={quoted(path)} tooltip={quoted(self.tooltip(row))}'
        )
        name = f'<TD ALIGN="LEFT"><FONT POINT-SIZE="14"><B>{html(row.title)}</B></FONT></TD>'
        yield f'    label=<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3"><TR>{name}{badge}</TR></TABLE>>;'
        yield from ("  " + line for line in self.contents(path))
        yield "  }"

    def contents(self, cluster: str) -> Iterator[str]:
        for box in self.graph.boxes:
            if box.cluster == cluster and box.first.block != "input":
                yield self.box(box)
            if self.graph.cluster_of_shape(box) == cluster:
                yield self.chip(f"shape:{box.id}", *self.shape(box))

    # boxes

    def box(self, box: Box) -> str:
        fill, line = self.theme.kinds.get(self.kind(box), self.theme.kinds[""])
        width = " width=3.7" if not self.graph.root else ""
        details = "   ·   ".join(self.details(box))
        detail = (
            f'<TR><TD><FONT POINT-SIZE="10" COLOR="{self.theme.muted}">{html(details)}</FONT></TD></TR>'
            if details
            else ""
        )
        title = f'<TR><TD><FONT POINT-SIZE="13"><B>{html(self.title(box))}</B></FONT></TD></TR>'
        tooltip = quoted("; ".join(map(self.tooltip, box.rows)))
        return (
            f"  {quoted(box.id)} [id={quoted(box.id)} class={quoted('op ' + self.kind(box))} fillcolor={quoted(fill)} "
            f"color={quoted(line)}{width} tooltip={tooltip} "
            f'label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{title}{detail}</TABLE>>];'
        )

    def kind(self, box: Box) -> str:
        row = box.last if box.last.role == "norm" else box.first
        if row.role == "attention" and any(wire.role == "memory" for wire in row.inputs):
            return "cross"
        return "attention" if row.block == "matmul" else row.role

    def title(self, box: Box) -> str:
        first, last = box.first, box.last
        if first.role == "failed":
            return f"✗ {first.block}"
        if first.block == "add":
            return f"Add & {last.title}" if len(box.rows) > 1 else "Add"
        if first.block == "matmul":
            return first.title + "".join(
                " / " + row.title.partition("/ ")[2] for row in box.rows if row.block == "scale"
            )
        formula = any(sign in first.title for sign in "·⊙=(")
        text = first.title if formula else first.title[0].upper() + first.title[1:]
        return f"{text} {times(first)}".rstrip()

    def details(self, box: Box) -> Iterator[str]:
        """Under the title: what is drawn in the same box, the sizes, where keys and values come from, the weights."""
        if box.first.caption or box.first.role == "failed":
            yield box.first.caption or box.first.equation
        for row in box.rows[1:]:
            if row.role != "norm" and row.block != "scale":
                yield ("+ " if row.role == "embedding" else "") + row.title.lower()
        if self.kind(box) == "cross":
            reader = box.first.path.partition(".")[0]
            yield f"Q ← {reader}, K, V ← memory" if box.first.block == "multi_head" else "reads memory"
        if cost := sum(row.cells[self.column].value for row in box.rows):
            yield humanize(cost) + (f" {self.report.columns[self.column].title}" if self.column != "params" else "")

    def tooltip(self, row: Row) -> str:
        titled = [(self.report.columns[name].title, cell) for name, cell in row.cells.items() if cell.each.terms]
        cells = [f"{title}: {cell.each} = {cell.value:,}" for title, cell in titled]
        return "; ".join([f"{row.path}: {row.equation}", f"{symbolic(row.dims)} = {numeric(row)}", *cells])

    # shapes

    def entry(self, path: str) -> tuple[Row | None, str, str, str]:
        """The shape that comes in from outside, named after where it was made if there are several."""
        wire = next(w for box in self.graph.boxes for row in box.rows for w in row.inputs if w.source == path)
        known = self.report.sizes.numbers
        numbers = [str(size.at(known) if size.names <= known.keys() else size) for size in wire.dims]
        name = path.rpartition(".")[2].replace("_", " ") if len(self.graph.entries) > 1 else "x"
        return None, symbolic(wire.dims), f"({', '.join(numbers)})", name

    def shape(self, box: Box) -> tuple[Row | None, str, str, str]:
        row = box.last
        if row.silent:
            return row, "–", "", ""
        if self.graph.root:
            return row, symbolic(row.dims), numeric(row), ""
        note = "memory" if box.id in self.memory else RESULTS.get(row.block, "")
        if row.block == "input":
            note = row.equation
        parts = [
            str(size) if number is None or not size.names.isdisjoint(variables(self.report)) else str(number)
            for size, number in zip(row.dims, row.shape, strict=True)
        ]
        return row, f"({', '.join(parts)})", "", note

    def chip(self, name: str, row: Row | None, symbols: str, numbers: str, note: str) -> str:
        t = self.theme
        text = f'<FONT FACE="{MONO}" POINT-SIZE="10">{html(symbols)}</FONT>'
        text += f'<FONT POINT-SIZE="10" COLOR="{t.muted}">  {html(note)}</FONT>' if note else ""
        below = f'<TR><TD><FONT FACE="{MONO}" POINT-SIZE="9" COLOR="{t.muted}">{html(numbers)}</FONT></TD></TR>'
        rows = f"<TR><TD>{text}</TD></TR>{below if numbers else ''}"
        tooltip = f"{row.path}: {symbolic(row.dims)} = {numeric(row)}" if row else f"input {symbols} = {numbers}"
        return (
            f'  {quoted(name)} [id={quoted(name)} class="shape" fillcolor="{t.background}" color="{t.border}" '
            f'penwidth=0.8 height=0.2 margin="0.08,0.03" tooltip={quoted(tooltip)} '
            f'label=<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>];'
        )

    # wires

    def wires(self) -> Iterator[str]:
        inputs = {box.id for box in self.graph.boxes if box.first.block == "input"}
        for box in self.graph.boxes:
            if box.id not in inputs:
                last = not self.graph.readers(box.id)
                look = "weight=20" if last else "weight=20 arrowhead=none"
                yield f"  {quoted(box.id)} -> {quoted('shape:' + box.id)} [{look}];"
        for edge in self.graph.edges:
            yield self.wire(edge)

    def wire(self, edge: Edge) -> str:
        chip = quoted(("in:" if edge.source in self.graph.entries else "shape:") + edge.source)
        target = quoted(edge.target)
        match edge.role:
            case "residual":
                look = "style=dashed penwidth=1.1 constraint=false weight=0"
                return f'  {chip}:e -> {target}:e [color="{self.theme.residual}" {look} tooltip="residual"];'
            case "memory" if not self.graph.root:
                told = f"{edge.source}: read by {edge.target} in every repetition"
                look = f'color="{self.theme.memory}" penwidth=2.0 weight=0'
                return f"  {chip}:e -> {target}:w [{look} tooltip={quoted(told)}];"
        return f"  {chip} -> {target} [weight={self.straightness(edge)}];"

    def straightness(self, edge: Edge) -> int:
        """The main line is drawn straight: into a box from what comes last, out of a shape to the box in the middle."""
        order = [box.id for box in self.graph.boxes]
        into = [e.source for e in self.graph.edges if e.target == edge.target and e.role != "residual"]
        out = [e for e in self.graph.readers(edge.source) if e.role != "residual"]
        latest = max(into, key=lambda source: order.index(source) if source in order else -1)
        middle = len(out) < 3 or edge == out[len(out) // 2]
        return 20 if edge.source == latest and middle else 1

    def ranks(self) -> Iterator[str]:
        """Memory stands beside the shape above the cross-attention that reads it; readers of the inputs in a row."""
        first = [box.id for box in self.graph.boxes if self.graph.entries and self.reads_entries(box)]
        for row in (first, ["shape:" + id for id in first], ["in:" + path for path in self.graph.entries]):
            if len(row) > 1:
                yield f"  {{rank=same; {'; '.join(map(quoted, row))}}}"
        for edge in self.graph.edges if not self.graph.root else ():
            if edge.role == "memory":
                above = next((e for e in self.graph.edges if e.target == edge.target and e.role == "data"), None)
                if above:
                    yield f"  {{rank=same; {quoted('shape:' + edge.source)}; {quoted('shape:' + above.source)}}}"

    def reads_entries(self, box: Box) -> bool:
        return all(edge.source in self.graph.entries for edge in self.graph.edges if edge.target == box.id)

    def legend(self) -> Iterator[str]:
        """A box of words below the memory, or below the last shape."""
        yield f'  legend [id="legend" shape=plain style="" tooltip="legend" label=<{self.words.legend()}>];'
        anchor = next(iter(self.memory), "") if not self.graph.root else ""
        yield f"  {quoted('shape:' + (anchor or self.graph.boxes[-1].id))} -> legend [style=invis weight=5 minlen=2];"
