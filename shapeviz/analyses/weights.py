"""Bytes of the parameters, each in its own dtype; a tied weight counts where it is used first."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, Analysis, Part, element, weight_sets
from shapeviz.expr import product
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """The weights that the node itself holds."""
    if isinstance(node, Block):
        yield from (Part(weight.name, product(weight.shape) * element(weight)) for weight in node.params)


analysis = Analysis(
    "parameter bytes",
    "bytes of all parameters, each in its own dtype, a tied weight once",
    own,
    weigh=weight_sets,
    unit=BYTES,
    letters={"b_w": 4},
    own_dtypes=True,
)
