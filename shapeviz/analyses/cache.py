"""Bytes of the whole KV cache: of all sequences, at their full length or as far as a sliding window reaches."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, WRITTEN, Analysis, Part
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """What the node itself keeps."""
    if isinstance(node, Block):
        yield from (Part(kept.what, kept.width * kept.tokens * "b_kv") for kept in node.cached)


analysis = Analysis(
    "KV-cache bytes",
    "bytes kept for B sequences, b_kv bytes an element; a layer with a sliding window keeps no more than that",
    own,
    unit=BYTES,
    knows=WRITTEN,
    letters={"b_kv": 2},
)
