"""Parameters: unique elements of trainable tensors; a tied weight counts where it is used first."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import Analysis, Part, weight_sets
from shapeviz.expr import product
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """The weights that the node itself holds, with their elements."""
    if isinstance(node, Block):
        yield from (Part(weight.name, product(weight.shape)) for weight in node.params)


analysis = Analysis(
    "parameters", "unique trainable elements; a tied weight counts once, buffers apart", own, weigh=weight_sets
)
