"""Bytes that generation keeps for every token: keys and values of all heads, or one latent vector for them."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, WRITTEN, Analysis, Part
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """What the node itself keeps of a token."""
    if isinstance(node, Block):
        yield from (Part(kept.what, kept.width * "b_kv") for kept in node.cached if kept.grows)


analysis = Analysis(
    "KV-cache bytes per token",
    "bytes of one token's keys and values in all layers, b_kv bytes an element; in a full sliding window they take the "
    "place of another token's",
    own,
    unit=BYTES,
    knows=WRITTEN,
    letters={"b_kv": 2},
)
