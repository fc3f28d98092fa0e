"""Trees of one structure made one: wherever they have expressions, a function says what the new tree has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from shapeviz.expr import Expr
from shapeviz.ir import Block, Condition, Node, Op

Body = tuple[Node, ...]
Combine = Callable[[Sequence[Expr]], Expr]
Text = Callable[[Sequence[str]], str]


class UnlikeTreesError(Exception):
    """The trees differ in more than their expressions. The message says where first."""


class Combined:
    """Trees put together; what was one object in each of them, as a weight used twice is, stays one.

    `blocks` has the new block of every block of the first tree.
    """

    def __init__(self, combine: Combine, text: Text | None = None) -> None:
        self.combine, self.text = combine, text
        self.blocks: dict[Block, Block] = {}
        self._made: dict[tuple[int, ...], tuple[Sequence[Any], Any]] = {}

    def of(self, values: Sequence[Any], where: str = "") -> Any:
        """One value for those that stand at one place of the trees. Raises UnlikeTreesError."""
        first = values[0]
        if any(type(value) is not type(first) for value in values):
            raise UnlikeTreesError(f"{where}: {type(first).__name__} in one, another in the other")
        if isinstance(first, Expr):
            return self.combine(values)
        if isinstance(first, Condition) and first.decides:  # two that decide the same are no one object
            if other := next((value for value in values if value.text != first.text), None):
                raise UnlikeTreesError(f"{first.text} in one, {other.text} in another")
            return first
        if isinstance(first, tuple):
            return self._tuple(first, values, where)
        if is_dataclass(first) and not isinstance(first, type):
            key = tuple(map(id, values))
            if key not in self._made:  # the values are kept, so that no id is given twice
                self._made[key] = (values, self._dataclass(first, values, where))
            return self._made[key][1]
        if any(value != first for value in values):
            if isinstance(first, str) and self.text:
                return self.text(values)
            raise UnlikeTreesError(f"{where}: {first!r} in one, {next(v for v in values if v != first)!r} in another")
        return first

    def _tuple(self, first: tuple[Any, ...], values: Sequence[tuple[Any, ...]], where: str) -> Any:
        if any(len(value) != len(first) for value in values):
            raise UnlikeTreesError(
                f"{where}: {len(first)} in one, {'/'.join(str(len(v)) for v in values[1:])} in others"
            )
        items = [self.of(column, where) for column in zip(*values, strict=True)]
        return type(first)(*items) if hasattr(first, "_fields") else tuple(items)

    def _dataclass(self, first: Any, values: Sequence[Any], where: str) -> Any:
        path = f"{where}.{first.name}" if hasattr(first, "name") else where
        changed = {}
        for entry in fields(first):
            column = [getattr(value, entry.name) for value in values]
            if entry.name == "body":
                column = _of_one_length(column)
            new = self.of(column, f"{path}.{entry.name}" if entry.name != "body" else path)
            if new is not column[0]:
                changed[entry.name] = new
        made = replace(first, **changed) if changed else first
        if isinstance(first, Block):
            self.blocks[first] = made
        return made


def _of_one_length(bodies: list[Body]) -> list[Body]:
    """Bodies that differ in how often they have like operations, as a sum after every layer: each of these counted."""
    if len({len(body) for body in bodies}) == 1:
        return bodies
    counts = [Counter(_like(node) for node in body if isinstance(node, Op)) for body in bodies]
    differing = {
        like for like in counts[0] if len({count[like] for count in counts}) > 1 and all(c[like] for c in counts)
    }
    return [tuple(_counted(body, count, differing)) for body, count in zip(bodies, counts, strict=True)]


def _like(op: Op) -> Hashable:
    """What makes two operations cost the same."""
    shapes = tuple((tensor.shape, tensor.dtype) for tensor in (*op.inputs, op.output, *op.others))
    return op.kind, shapes, op.flops, op.backward, op.saved, op.made, op.view, op.failed


def _counted(body: Body, counts: Counter[Hashable], differing: set[Hashable]) -> Iterator[Node]:
    """The nodes, the first of each of these operations as a block that runs as often as there are of them."""
    seen: set[Hashable] = set()
    for node in body:
        like = _like(node) if isinstance(node, Op) else None
        if not isinstance(node, Op) or like not in differing:
            yield node
        elif like not in seen:
            seen.add(like)
            times = Expr.of(counts[like])
            yield Block(
                name=node.name, kind=node.kind, title=node.equation, role=node.kind, equation=node.equation,
                citation="", caption=(), inputs=node.inputs, output=node.output, params=(), tied=(), body=(node,),
                repeat=times, copies=times, step=True, others=node.others,
            )  # fmt: skip
