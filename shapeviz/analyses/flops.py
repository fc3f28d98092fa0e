"""FLOPs of one forward pass: 2 for every multiply-add of a matrix product or convolution, attention dense."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import FLOPS, Analysis, Part
from shapeviz.ir import Node, Op


def own(node: Node) -> Iterator[Part]:
    """What an operation costs, and its backward pass if that was traced; nothing else does."""
    if isinstance(node, Op):
        if node.flops.terms:
            yield Part(node.equation, node.flops)
        if node.backward.terms:
            yield Part(f"{node.equation}, backward", node.backward)


analysis = Analysis(
    "FLOPs",
    "2 per multiply-add; matrix products and convolutions only; one forward pass, attention dense",
    own,
    unit=FLOPS,
)
