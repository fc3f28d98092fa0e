"""Bytes of the largest tensor that an operation makes: the greatest of all, not a sum."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, SAVED, Analysis, Part
from shapeviz.fold import greatest
from shapeviz.ir import Node, Op


def own(node: Node) -> Iterator[Part]:
    """The tensors that an operation makes."""
    if isinstance(node, Op):
        yield from (Part(node.name, size) for size in node.made)


analysis = Analysis(
    "largest tensor",
    "bytes of the largest tensor that one operation of the forward pass makes; views are none",
    own,
    fold=greatest,
    unit=BYTES,
    knows=SAVED,
)
