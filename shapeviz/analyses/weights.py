"""Bytes of the parameters, each in its own dtype; a tied weight counts where it is used first."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr
from shapeviz.ir import Block, Node

title = "parameter bytes"
unit = "B"
convention = "bytes of all parameters, each in its own dtype, a tied weight once"
times = "copies"


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """The weights that the node itself holds."""
    if isinstance(node, Block):
        yield from ((weight.name, weight.bytes) for weight in node.params)
