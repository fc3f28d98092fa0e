"""Bytes of the gradients: one for every parameter that is to be learned, in the parameter's dtype."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, Analysis, Part, weight_sets
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """The gradients of the weights that the node itself holds."""
    if isinstance(node, Block):
        yield from (Part(weight.name, weight.bytes) for weight in node.params if weight.trainable)


analysis = Analysis(
    "gradient bytes",
    "bytes of the gradients of parameters that are not frozen, in the parameters' own dtype",
    own,
    weigh=weight_sets,
    unit=BYTES,
)
