"""Trees of one structure made one: wherever they have expressions, a function says what the new tree has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from shapeviz.expr import Expr
from shapeviz.ir import Block

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
            new = self.of(column, f"{path}.{entry.name}" if entry.name != "body" else path)
            if new is not column[0]:
                changed[entry.name] = new
        made = replace(first, **changed) if changed else first
        if isinstance(first, Block):
            self.blocks[first] = made
        return made
