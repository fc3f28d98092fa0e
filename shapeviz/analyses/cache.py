"""Bytes of the whole KV cache: of all sequences, at their full length or as far as a sliding window reaches."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analyses import kv_cache
from shapeviz.expr import Expr
from shapeviz.ir import Block, Node

title = "KV-cache bytes"
unit = "B"
convention = "bytes kept for B sequences, b_kv bytes an element; a layer with a sliding window keeps no more than that"
times = "repeat"
sizes = kv_cache.sizes


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """What the node itself keeps."""
    if isinstance(node, Block):
        yield from ((kept.what, kept.width * kept.tokens * kv_cache.BYTES) for kept in node.cached)
