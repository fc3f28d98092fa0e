"""Bytes moved: every operation reads its inputs and weights and writes its output, as if each ran alone."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, Analysis, Part, element
from shapeviz.expr import product
from shapeviz.ir import Node, Op

NO_WORK = ("input", "keep", "saved")  # what comes in, weights that nothing reads, what a trace books apart
GATHERS = ("lookup", "embedding")  # of a table they read the rows that they give


def own(node: Node) -> Iterator[Part]:
    """What an operation reads and writes; a view moves nothing, a bias added to a product no more than itself."""
    if not isinstance(node, Op) or node.kind in NO_WORK or node.failed:
        return
    for tensor in dict.fromkeys(node.inputs[node.view :]):
        rows = node.kind in GATHERS and tensor.role == "param"
        yield Part(f"{tensor.name} read", product(node.output.shape if rows else tensor.shape) * element(tensor))
    if not node.view:
        for tensor in (node.output, *node.others):
            yield Part(f"{tensor.name} written", product(tensor.shape) * element(tensor))


analysis = Analysis(
    "bytes moved",
    "every operation reads its inputs and weights and writes its output, b_w bytes an element of a weight, b_a of an "
    "activation, 8 of an integer id; nothing is fused but a bias with its product, attention is dense; views and "
    "splitting into heads move nothing, concatenating heads copies; a lookup reads the rows it gives; of a mixture's "
    "experts the k that one token meets",
    own,
    unit=BYTES,
    letters={"b_w": 4, "b_a": 4},
)
