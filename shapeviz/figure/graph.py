"""Which rows of a report a figure shows: taken together in nodes, with the edges between them, in clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shapeviz.errors import InputError, nearest
from shapeviz.report import Report, Row

CONTAINERS = ("", "stack", "layer")
PLAIN = ("feed_forward", "embedding", "norm", "linear", "head")
"""Roles of which a box with title and sizes says all, unless there are blocks within."""


@dataclass(frozen=True)
class Node:
    """One box of the figure: a row, and those drawn with it (the sum before a norm, the scale after a product)."""

    rows: tuple[Row, ...]
    cluster: str

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def last(self) -> Row:
        return self.rows[-1]

    @property
    def id(self) -> str:
        return self.first.path


@dataclass(frozen=True)
class Edge:
    """From the shape after one box to another box; `source` may be the path of an input from outside the figure."""

    source: str
    target: str
    role: str


@dataclass(frozen=True)
class Graph:
    """A figure: `root` is the path of the block it shows, empty for the whole model."""

    root: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    entries: tuple[str, ...]

    def cluster_of_shape(self, node: Node) -> str:
        """Where the shape after a node stands: in the cluster that takes it in, or outside of the one it leaves."""
        clusters = {node.id: node.cluster for node in self.nodes}
        readers = (edge for edge in self.edges if edge.source == node.id and edge.role != "memory")
        read = [clusters[edge.target] for edge in readers]
        if node.cluster in read:
            return node.cluster
        return next((cluster for cluster in read if cluster), "")


def graph(report: Report, figure: str) -> Graph:
    """The graph of `model`, of a kind of block or of a block's path. Raises InputError if there is none."""
    root = _root(report, figure)
    nodes = tuple(_nodes(report, root))
    home = {row.path: node.id for node in nodes for row in node.rows}
    edges: dict[Edge, None] = {}  # in order, each once
    entries: dict[str, None] = {}
    for node in nodes:
        for wire in (wire for row in node.rows for wire in row.inputs):
            source = _source(wire.source, home)
            if source is None:
                source = wire.source
                entries[source] = None
            if source != node.id:
                edges[Edge(source, node.id, wire.role)] = None
    return Graph(root, nodes, tuple(edges), tuple(entries))


def has_own_figure(report: Report, row: Row) -> bool:
    """True for a block that holds more than its box can say: one that mixes positions, or is made of blocks."""
    if row.step or row.role in CONTAINERS:
        return False
    return row.role not in PLAIN or any(not inner.step for inner in report.children(row.path))


def _root(report: Report, figure: str) -> str:
    if figure == "model":
        return ""
    blocks = [row for row in report.rows if not row.step]
    if path := next((row.path for row in blocks if figure in (row.block, row.path)), ""):
        return path
    kinds = dict.fromkeys(row.block for row in blocks if has_own_figure(report, row))
    raise InputError(f"unknown figure {figure!r}; {nearest(figure, ['model', *kinds, *(b.path for b in blocks)])}")


def _nodes(report: Report, root: str) -> Iterator[Node]:
    rows = _alive(list(_visible(report, root)))
    merged = _merged(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(merged.get(row.path, row.path), []).append(row)
    for group in groups.values():
        yield Node(tuple(group), _cluster(report, group[0], root))


def _visible(report: Report, root: str) -> Iterator[Row]:
    """The rows that are boxes: blocks that only hold others are opened."""
    for row in report.children(root):
        blocks = row.role in ("stack", "layer") or (row.block == "attention" and root) or _failed(report, row)
        opened = blocks and not row.step  # one operation, as fused attention is, has nothing inside
        yield from _visible(report, row.path) if opened else (row,)


def _alive(rows: list[Row]) -> list[Row]:
    """Without blocks that never run, and without operations whose result nobody in the figure reads."""
    rows = [row for row in rows if row.role != "unreached"]
    while True:
        read = {wire.source for row in rows for wire in row.inputs}
        idle = {
            row.path
            for row in rows[:-1]
            if row.role == row.block and row.block != "input"
            and not any(source == row.path or row.path.startswith(source + ".") for source in read if source)
        }  # fmt: skip
        if not idle:
            return rows
        rows = [row for row in rows if row.path not in idle]


def _failed(report: Report, row: Row) -> bool:
    """True for a block in which an operation failed: it is opened to show which."""
    return any(inner.role == "failed" and inner.path.startswith(row.path + ".") for inner in report.rows)


def _merged(rows: list[Row]) -> dict[str, str]:
    """Rows drawn in the box of another: a norm with its sum, positions with the embedding, scale and mask with Q Kᵀ."""
    readers: dict[str, list[Row]] = {}
    by_path = {row.path: row for row in rows}
    for row in rows:
        for wire in row.inputs:
            readers.setdefault(wire.source, []).append(row)
    home: dict[str, str] = {}
    for row in rows:
        before = by_path.get(row.inputs[-1].source) if row.inputs else None
        if before is None or readers[before.path] != [row]:
            continue
        after_sum = row.role == "norm" and before.block == "add"
        positions = row.role == before.role == "embedding"
        small = row.block in ("scale", "mask", "split_heads")
        if after_sum or positions or small:
            home[row.path] = home.get(before.path, before.path)
    return home


def _cluster(report: Report, row: Row, root: str) -> str:
    """The repeated block inside the figure that the row stands in."""
    path = row.parent
    while path and path != root:
        if report.row(path).role == "layer":
            return path
        path = path.rpartition(".")[0]
    return ""


def _source(path: str, home: dict[str, str]) -> str | None:
    """The box in which a wire starts: of an opened block, the box that comes last in it."""
    if path in home:
        return home[path]
    inside = [id for shown, id in home.items() if shown.startswith(path + ".")] if path else []
    return inside[-1] if inside else None
