"""Bytes of the gradients: one for every parameter that is to be learned, in the parameter's dtype."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, Analysis, Part, element, weight_sets
from shapeviz.expr import product
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """The gradients of the weights that the node itself holds."""
    if isinstance(node, Block):
        learned = (weight for weight in node.params if weight.trainable)
        yield from (Part(weight.name, product(weight.shape) * element(weight)) for weight in learned)


analysis = Analysis(
    "gradient bytes",
    "bytes of the gradients of parameters that are not frozen, in the parameters' own dtype",
    own,
    weigh=weight_sets,
    unit=BYTES,
    letters={"b_w": 4},
    own_dtypes=True,
)
