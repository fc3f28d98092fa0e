"""Mermaid: a flowchart that GitHub draws from text, shapes as words on its arrows, repeated layers as subgraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import dumps

from shapeviz.figure import Box, Chip, Cluster, Figure, Wire
from shapeviz.figure.themes import Theme
from shapeviz.page import Page
from shapeviz.renderers import Renderer, View, drawn

ARROWS = {"data": "-->", "residual": "-.->", "memory": "==>"}
RISKY = re.compile(r"[^\w\s,()·×→←↦/.=+\-∥ᵀ√σΣ⊙✗–…]|(?<=\d)\.(?=\s)|^[-+](?=\s)|_(?!\w)|(?<!\w)_", re.ASCII)
"""Signs that mean something to somebody on the way: also `1. ` and `- `, which begin lists, and `_` around words."""


def render(page: Page, view: View) -> str:
    """The figure of the page as a flowchart. Raises InputError for an unknown figure or theme."""
    figure, theme = drawn(page, view)
    return "\n".join(Writer(figure, theme).lines()) + "\n"


def escape(text: str) -> str:
    """Text for a quoted label: what could mean something to Mermaid, Markdown or HTML becomes a number.

    >>> print(escape('a "b" <i> d_k'))
    a #34;b#34; #60;i#62; d_k
    """
    clean = "".join(sign for sign in text if sign.isprintable())
    return RISKY.sub(lambda match: f"#{ord(match[0])};", clean)


class Writer:
    """One figure on its way to a flowchart: boxes are b0, b1, …, so that no name of ours can be one of Mermaid's."""

    def __init__(self, figure: Figure, theme: Theme) -> None:
        self.figure, self.theme = figure, theme
        self.boxes = {box.id: f"b{number}" for number, box in enumerate(figure.boxes)}
        self.chips = {box.shape.id: box for box in figure.boxes}
        self.styles: list[str] = []
        self.links = 0

    def lines(self) -> Iterator[str]:
        yield from self.front_matter()
        yield "flowchart TB"
        yield f'  header["{"<br/>".join(self.header())}"]:::words'
        for number, chip in enumerate(self.figure.inputs):
            yield f'  in{number}(["{self.shape(chip)}"]):::shape'
        clusters = {cluster.id: cluster for cluster in self.figure.clusters}
        for number, id in enumerate(dict.fromkeys(box.cluster for box in self.figure.boxes)):
            yield from self.cluster(f"c{number}", clusters[id]) if id else self.contents("")
        yield from self.wires()
        yield from self.ends()
        yield from self.classes()
        yield from self.styles

    def front_matter(self) -> Iterator[str]:
        """Title and colours; what is said there GitHub and others read before they draw."""
        t = self.theme
        variables = {
            "background": t.background, "primaryTextColor": t.text, "lineColor": t.data, "titleColor": t.text,
            "edgeLabelBackground": t.background, "clusterBkg": t.panel, "clusterBorder": t.border,
            "textColor": t.text,
        }  # fmt: skip
        yield "---"
        yield f"title: {dumps(self.figure.heading, ensure_ascii=True)}"
        yield "config:"
        yield "  theme: base"
        yield f"  themeVariables: {dumps(variables)}"
        yield "  flowchart: {wrappingWidth: 700, subGraphTitleMargin: {top: 8, bottom: 18}}"
        yield "---"

    def header(self) -> Iterator[str]:
        yield from map(escape, self.figure.settings)
        for cost in self.figure.sums:
            equal = " = " if cost.parts else ""
            yield f"<b>{escape(cost.value)}</b>{equal}{'<br/>#43; '.join(map(escape, cost.parts))}"
        if self.figure.missing:
            yield escape(self.figure.missing)

    def cluster(self, name: str, cluster: Cluster) -> Iterator[str]:
        yield f'  subgraph {name}["{escape(cluster.title)} × {cluster.times:,}"]'
        yield from ("  " + line for line in self.contents(cluster.id))
        yield "  end"
        self.styles.append(f"  style {name} fill:{self.theme.panel},stroke:{self.theme.border}")

    def contents(self, cluster: str) -> Iterator[str]:
        for box in self.figure.boxes:
            if box.cluster == cluster:
                yield f"  {self.boxes[box.id]}{self.box(box)}"

    def box(self, box: Box) -> str:
        if box.kind == "input":
            return f'(["{self.shape(box.shape)}"]):::shape'
        details = " · ".join((*box.details, *([box.cost] if box.cost else [])))
        small = f"<br/><small>{escape(details)}</small>" if details else ""
        return f'["<b>{escape(box.title)}</b>{small}"]:::{self.kind(box)}'

    def kind(self, box: Box) -> str:
        return f"k_{box.kind}" if box.kind in self.theme.kinds and box.kind else "k_other"

    def shape(self, chip: Chip) -> str:
        note = f" {escape(chip.note)}" if chip.note else ""
        numbers = f"<br/>{escape(chip.numbers)}" if chip.numbers else ""
        return f"{escape(chip.symbols)}{note}{numbers}"

    # arrows

    def wires(self) -> Iterator[str]:
        named: set[str] = set()
        for wire in self.figure.wires:
            plain = wire.source in named or wire.role == "residual" or not self.starts_in_box(wire)
            label = "" if plain else f'|"{self.shape(self.chips[wire.source].shape)}"|'
            named |= set() if wire.role == "residual" else {wire.source}
            yield self.link(self.start(wire), ARROWS[wire.role] + label, self.boxes[wire.target], wire.role)

    def starts_in_box(self, wire: Wire) -> bool:
        """False for a wire from outside or from an input, whose shape stands in a box of its own."""
        return wire.source in self.chips and self.chips[wire.source].kind != "input"

    def start(self, wire: Wire) -> str:
        if wire.source in self.chips:
            return self.boxes[self.chips[wire.source].id]
        return f"in{[chip.id for chip in self.figure.inputs].index(wire.source)}"

    def link(self, source: str, arrow: str, target: str, role: str) -> str:
        if role != "data":
            width = "3px" if role == "memory" else "1.5px"
            self.styles.append(f"  linkStyle {self.links} stroke:{self.theme.line(role)},stroke-width:{width}")
        self.links += 1
        return f"  {source} {arrow} {target}"

    def ends(self) -> Iterator[str]:
        """The shapes that nothing in the figure reads, and the words above and below."""
        last = ""
        for number, box in enumerate(self.figure.boxes):
            if not self.figure.readers(box.shape):
                last = f"out{number}"
                yield f'  {last}(["{self.shape(box.shape)}"]):::shape'
                yield self.link(self.boxes[box.id], "-->", last, "data")
        yield self.link("header", "~~~", "in0" if self.figure.inputs else "b0", "data")
        words = [f"<b>{escape(letter)}</b> {escape(meaning)}" for letter, meaning in self.figure.letters]
        rows = [" · ".join(words[start : start + 4]) for start in range(0, len(words), 4)]
        roles = {"residual": "dashed", "memory": "thick"}
        rows += [f"{roles[role]}: {escape(meaning)}" for role, meaning in self.figure.roles]
        yield f'  legend["{"<br/>".join(rows)}"]:::words'
        yield self.link(last, "~~~", "legend", "data")

    def classes(self) -> Iterator[str]:
        """The colours of the kinds of block, from the theme."""
        t = self.theme
        for kind in dict.fromkeys(map(self.kind, self.figure.boxes)):
            fill, stroke = t.colours(kind.removeprefix("k_"))
            yield f"  classDef {kind} fill:{fill},stroke:{stroke},color:{t.text}"
        yield f"  classDef shape fill:{t.background},stroke:{t.border},color:{t.text}"
        yield f"  classDef words fill:none,stroke:none,color:{t.muted},text-align:left"


renderer = Renderer(render, "The figure for Mermaid, which GitHub draws.", suffixes=(".mmd", ".mermaid"), draws=True)
