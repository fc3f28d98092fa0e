"""Bytes saved for the backward pass: every storage that an operation keeps, once, parameters and buffers apart."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, SAVED, Analysis, Part
from shapeviz.ir import Node, Op


def own(node: Node) -> Iterator[Part]:
    """What an operation is the first to keep."""
    if isinstance(node, Op):
        yield from (Part(f"{node.name} ({dtype})" if dtype else node.name, size) for dtype, size in node.saved)


analysis = Analysis(
    "bytes saved",
    "bytes that the forward pass keeps for the backward pass, each storage once, parameters and buffers apart; "
    "as on a GPU: dropout keeps a mask of 1 byte an element, fused attention Q, K, V, its result and log-sum-exp",
    own,
    unit=BYTES,
    knows=SAVED,
)
