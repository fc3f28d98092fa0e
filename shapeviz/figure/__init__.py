"""Figures as data: boxes, shapes on the wires between them, clusters, header and legend.

`drawing.draw` makes one of a Report, and every word is decided there. A renderer spells it in its own notation (DOT,
Mermaid, …) and decides nothing but colours and places.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """A shape on a wire: in letters, in numbers where the figure shows both, and a word on what it is.

    `cluster` is the id of the cluster that it stands in, empty outside of all.
    """

    id: str
    cluster: str
    symbols: str
    numbers: str = ""
    note: str = ""
    tooltip: str = ""


@dataclass(frozen=True)
class Box:
    """A block: its title, the details below, its cost, and the shape that comes out of it.

    `kind` is the block's role, which a theme gives a colour: attention, cross, norm, feed_forward, …; one of kind
    `input` is not drawn, its shape alone is.
    """

    id: str
    cluster: str
    kind: str
    title: str
    details: tuple[str, ...]
    cost: str
    tooltip: str
    shape: Chip


@dataclass(frozen=True)
class Wire:
    """From a chip to a box, both by id. The role is `data`, `residual`, or `memory`, read by every repetition."""

    source: str
    target: str
    role: str
    tooltip: str = ""


@dataclass(frozen=True)
class Cluster:
    """A repeated block around others, and how often it runs."""

    id: str
    title: str
    times: int
    tooltip: str


@dataclass(frozen=True)
class Sum:
    """A cost of what is shown, `87.73 M parameters`, and what it is the sum of, in lines; none for a number."""

    value: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A figure of a whole model, or of the block at the path `root`.

    `heading`, `settings`, `sums` and `missing` (what is not counted, and why) are the header, line by line; `letters`
    with their meanings and the `roles` of wires that want explaining the legend. `inputs` are shapes from outside.
    """

    title: str
    root: str
    heading: str
    settings: tuple[str, ...]
    sums: tuple[Sum, ...]
    missing: str
    inputs: tuple[Chip, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    clusters: tuple[Cluster, ...]
    letters: tuple[tuple[str, str], ...]
    roles: tuple[tuple[str, str], ...]

    def readers(self, chip: Chip) -> list[Wire]:
        """The wires that start in a chip."""
        return [wire for wire in self.wires if wire.source == chip.id]
