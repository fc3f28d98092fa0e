"""Graphviz: boxes top to bottom, shapes as chips on the wire, repeated layers folded; colours and places alone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from shapeviz.figure import Box, Chip, Cluster, Figure, Wire
from shapeviz.figure.themes import Theme
from shapeviz.page import Page
from shapeviz.renderers import Renderer, View, drawn
from shapeviz.wording import legible

SANS = "Inter,Helvetica Neue,Helvetica,Arial,sans-serif"
MONO = "JetBrains Mono,DejaVu Sans Mono,Menlo,Consolas,monospace"
STROKES = {"residual": "╌╌╌", "memory": "<B>━━━</B>"}


def render(page: Page, view: View) -> str:
    """The figure of the page in DOT. Raises InputError for an unknown figure or theme."""
    figure, theme = drawn(page, view)
    return "\n".join(Writer(figure, theme).lines()) + "\n"


def quoted(text: str) -> str:
    """A DOT string.

    >>> print(quoted('say "hi"'))
    "say \\"hi\\""
    """
    return '"' + legible(text.replace("\n", " ")).replace("\\", "\\\\").replace('"', '\\"') + '"'


def html(text: str) -> str:
    """Text for an HTML-like label; signs that XML cannot hold are written by their numbers."""
    return escape(legible(text.replace("\n", " ")))


class Writer:
    """One figure on its way to DOT."""

    def __init__(self, figure: Figure, theme: Theme) -> None:
        self.figure, self.theme = figure, theme

    def lines(self) -> Iterator[str]:
        t = self.theme
        yield "digraph shapeviz {"
        yield (
            f"  graph [rankdir=TB newrank=true compound=true splines=spline nodesep=0.6 ranksep=0.18 pad=0.35 "
            f'bgcolor="{t.background}" fontname="{SANS}" fontcolor="{t.text}" labelloc=t labeljust=l '
            f"tooltip={quoted(html(self.figure.title))} label=<{self.header()}>];"
        )
        yield (
            f'  node [shape=box style="filled,rounded" penwidth=1.1 margin="0.14,0.06" height=0.46 '
            f'fontname="{SANS}" fontcolor="{t.text}"];'
        )
        yield f'  edge [color="{t.data}" penwidth=1.2 arrowsize=0.65 fontname="{SANS}" fontcolor="{t.muted}"];'
        yield from map(self.chip, self.figure.inputs)
        clusters = {cluster.id: cluster for cluster in self.figure.clusters}
        for id in dict.fromkeys(box.cluster for box in self.figure.boxes):
            yield from self.cluster(clusters[id]) if id else self.contents("")
        yield from self.wires()
        yield from self.ranks()
        yield from self.legend()
        yield "}"

    def muted(self, text: str, size: int) -> str:
        return f'<FONT POINT-SIZE="{size}" COLOR="{self.theme.muted}">{text}</FONT>'

    def header(self) -> str:
        lines = [f'<FONT POINT-SIZE="19"><B>{html(self.figure.heading)}</B></FONT>']
        lines += [self.muted(html(text), 11) for text in self.figure.settings]
        for cost in self.figure.sums:
            value = f'<FONT POINT-SIZE="12"><B>{html(cost.value)}</B></FONT>'
            lines.append(value + "".join(self.muted(f"  =  {html(text)}", 11) for text in cost.parts[:1]))
            lines += [self.muted(f"      +  {html(text)}", 11) for text in cost.parts[1:]]
        if self.figure.missing:
            lines.append(self.muted(html(self.figure.missing), 10))
        cells = "".join(f'<TR><TD ALIGN="LEFT">{line}</TD></TR>' for line in lines)
        return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}<TR><TD HEIGHT="10"></TD></TR></TABLE>'

    def cluster(self, cluster: Cluster) -> Iterator[str]:
        t = self.theme
        side = "l" if cluster.times < 100 else "r"  # a wide badge would lie on the wire
        badge = (
            f'<TD BGCOLOR="{t.text}" STYLE="ROUNDED"><FONT POINT-SIZE="13" COLOR="{t.background}">'
            f"<B> × {cluster.times:,} </B></FONT></TD>"
        )
        yield f"  subgraph {quoted('cluster_' + cluster.id)} {{"
        yield (
            f'    style="filled,rounded" fillcolor="{t.panel}" color="{t.border}" penwidth=1.4 margin=20 '
            f"labeljust={side} "
            f'fontname="{SANS}" id={quoted(cluster.id)} tooltip={quoted(cluster.tooltip)}'
        )
        name = f'<TD ALIGN="LEFT"><FONT POINT-SIZE="14"><B>{html(cluster.title)}</B></FONT></TD>'
        yield f'    label=<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3"><TR>{name}{badge}</TR></TABLE>>;'
        yield from ("  " + line for line in self.contents(cluster.id))
        yield "  }"

    def contents(self, cluster: str) -> Iterator[str]:
        for box in self.figure.boxes:
            if box.cluster == cluster and box.kind != "input":
                yield self.box(box)
            if box.shape.cluster == cluster:
                yield self.chip(box.shape)

    def box(self, box: Box) -> str:
        fill, line = self.theme.colours(box.kind)
        width = "" if self.figure.root else " width=3.7"
        details = "   ·   ".join((*box.details, *([box.cost] if box.cost else [])))
        detail = f"<TR><TD>{self.muted(html(details), 10)}</TD></TR>" if details else ""
        title = f'<TR><TD><FONT POINT-SIZE="13"><B>{html(box.title)}</B></FONT></TD></TR>'
        return (
            f"  {quoted(box.id)} [id={quoted(box.id)} class={quoted('op ' + box.kind)} fillcolor={quoted(fill)} "
            f"color={quoted(line)}{width} tooltip={quoted(box.tooltip)} "
            f'label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{title}{detail}</TABLE>>];'
        )

    def chip(self, chip: Chip) -> str:
        t = self.theme
        text = f'<FONT FACE="{MONO}" POINT-SIZE="10">{html(chip.symbols)}</FONT>'
        text += self.muted(f"  {html(chip.note)}", 10) if chip.note else ""
        rows = f"<TR><TD>{text}</TD></TR>"
        if chip.numbers:
            numbers = f'<FONT FACE="{MONO}" POINT-SIZE="9" COLOR="{t.muted}">{html(chip.numbers)}</FONT>'
            rows += f"<TR><TD>{numbers}</TD></TR>"
        return (
            f'  {quoted(chip.id)} [id={quoted(chip.id)} class="shape" fillcolor="{t.background}" color="{t.border}" '
            f'penwidth=0.8 height=0.2 margin="0.08,0.03" tooltip={quoted(chip.tooltip)} '
            f'label=<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>];'
        )

    # wires

    def wires(self) -> Iterator[str]:
        for box in self.figure.boxes:
            if box.kind != "input":
                last = not self.figure.readers(box.shape)
                look = "weight=20" if last else "weight=20 arrowhead=none"
                yield f"  {quoted(box.id)} -> {quoted(box.shape.id)} [{look}];"
        yield from map(self.wire, self.figure.wires)

    def wire(self, wire: Wire) -> str:
        chip, target = quoted(wire.source), quoted(wire.target)
        match wire.role:
            case "residual":
                look = "style=dashed penwidth=1.1 constraint=false weight=0"
                return f'  {chip}:e -> {target}:e [color="{self.theme.residual}" {look} tooltip="residual"];'
            case "memory":
                look = f'color="{self.theme.memory}" penwidth=2.0 weight=0'
                return f"  {chip}:e -> {target}:w [{look} tooltip={quoted(wire.tooltip)}];"
        return f"  {chip} -> {target} [weight={self.straightness(wire)}];"

    def straightness(self, wire: Wire) -> int:
        """The main line is drawn straight: into a box from what comes last, out of a shape to the box in the middle."""
        order = {box.shape.id: number for number, box in enumerate(self.figure.boxes)}
        drawn = [other for other in self.figure.wires if other.role != "residual"]
        latest = max((w.source for w in drawn if w.target == wire.target), key=lambda source: order.get(source, -1))
        out = [other for other in drawn if other.source == wire.source]
        middle = len(out) < 3 or wire == out[len(out) // 2]
        return 20 if wire.source == latest and middle else 1

    def ranks(self) -> Iterator[str]:
        """Memory stands beside the shape above the cross-attention that reads it; readers of the inputs in a row."""
        inputs = [chip.id for chip in self.figure.inputs]
        first = [box for box in self.figure.boxes if inputs and self.reads_inputs(box)]
        for row in ([box.id for box in first], [box.shape.id for box in first], inputs):
            if len(row) > 1:
                yield f"  {{rank=same; {'; '.join(map(quoted, row))}}}"
        for wire in self.figure.wires:
            if wire.role == "memory":
                others = (w for w in self.figure.wires if w.target == wire.target and w.role == "data")
                for above in [*others][:1]:
                    yield f"  {{rank=same; {quoted(wire.source)}; {quoted(above.source)}}}"

    def reads_inputs(self, box: Box) -> bool:
        inputs = {chip.id for chip in self.figure.inputs}
        return all(wire.source in inputs for wire in self.figure.wires if wire.target == box.id)

    def legend(self) -> Iterator[str]:
        """Letters and lines in a box below the memory, or below the last shape."""
        yield f'  legend [id="legend" shape=plain style="" tooltip="legend" label=<{self.explained()}>];'
        memory = (wire.source for wire in self.figure.wires if wire.role == "memory")
        anchor = next(memory, self.figure.boxes[-1].shape.id)
        yield f"  {quoted(anchor)} -> legend [style=invis weight=5 minlen=2];"

    def explained(self) -> str:
        words = [f"<B>{html(letter)}</B>  {html(meaning)}" for letter, meaning in self.figure.letters]
        rows = ["     ".join(words[start : start + 4]) for start in range(0, len(words), 4)]
        for role, meaning in self.figure.roles:
            rows.append(f'<FONT COLOR="{self.theme.line(role)}">{STROKES[role]}</FONT>  {html(meaning)}')
        cells = "".join(f'<TR><TD ALIGN="LEFT">{self.muted(row, 11)}</TD></TR>' for row in rows)
        return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">{cells}</TABLE>'


renderer = Renderer(render, "The figure for Graphviz.", suffixes=(".dot", ".gv"), draws=True)
