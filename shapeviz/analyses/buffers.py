"""Buffers: elements that a checkpoint stores besides the parameters, trained by no gradient."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import WRITTEN, Analysis, Part, weight_sets
from shapeviz.expr import product
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """The buffers that the node itself holds."""
    if isinstance(node, Block):
        yield from (Part(tensor.name, product(tensor.shape)) for tensor in node.buffers)


analysis = Analysis(
    "buffers",
    "elements that a checkpoint stores and no gradient trains; tables that are computed anew are none",
    own,
    weigh=weight_sets,
    knows=WRITTEN,
)
