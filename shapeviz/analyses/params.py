"""Parameters: unique elements of trainable tensors; a tied weight counts where it is used first."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr, product
from shapeviz.ir import Block, Node

title = "parameters"
convention = "unique trainable elements; a tied weight counts once, buffers apart"
times = "copies"


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """The weights that the node itself holds, with their sizes."""
    if isinstance(node, Block):
        yield from ((weight.name, product(weight.shape)) for weight in node.params)
