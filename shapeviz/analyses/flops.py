"""FLOPs of one forward pass: 2 for every multiply-add of a matrix product or convolution, attention dense."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr
from shapeviz.ir import Node, Op

title = "FLOPs"
convention = "2 per multiply-add; matrix products and convolutions only; one forward pass, attention dense"
times = "repeat"


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """What an operation costs, and its backward pass if that was traced; nothing else does."""
    if isinstance(node, Op):
        if node.flops.terms:
            yield node.equation, node.flops
        if node.backward.terms:
            yield f"{node.equation}, backward", node.backward
