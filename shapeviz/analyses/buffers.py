"""Buffers: elements that a checkpoint stores besides the parameters, trained by no gradient."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr, product
from shapeviz.ir import Block, Node

title = "buffers"
convention = "elements that a checkpoint stores and no gradient trains; tables that are computed anew are none"
times = "copies"


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """The buffers that the node itself holds."""
    if isinstance(node, Block):
        yield from ((tensor.name, product(tensor.shape)) for tensor in node.buffers)
