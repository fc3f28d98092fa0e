"""Bytes of the gradients: one for every parameter that is to be learned, in the parameter's dtype."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr
from shapeviz.ir import Block, Node

title = "gradient bytes"
unit = "B"
convention = "bytes of the gradients of parameters that are not frozen, in the parameters' own dtype"
times = "copies"


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """The gradients of the weights that the node itself holds."""
    if isinstance(node, Block):
        yield from ((weight.name, weight.bytes) for weight in node.params if weight.trainable)
