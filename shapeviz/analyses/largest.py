"""Bytes of the largest tensor that an operation makes: the greatest of all, not a sum."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr
from shapeviz.ir import Node, Op

title = "largest tensor"
unit = "B"
convention = "bytes of the largest tensor that one operation of the forward pass makes; views are none"
times = "once"
greatest = True


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """The tensors that an operation makes."""
    if isinstance(node, Op):
        yield from ((node.name, size) for size in node.made)
