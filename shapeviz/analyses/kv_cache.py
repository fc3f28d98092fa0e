"""Bytes that generation keeps for every token: keys and values of all heads, or one latent vector for them."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import Expr
from shapeviz.ir import Block, Node

title = "KV-cache bytes per token"
unit = "B"
convention = "bytes that one more token adds, b_kv bytes an element; a layer with a sliding window adds none beyond it"
times = "repeat"
sizes = {"b_kv": (2, "bytes of a cached element")}
BYTES = Expr.of("b_kv")


def own(node: Node) -> Iterator[tuple[str, Expr]]:
    """What the node itself keeps of a token."""
    if isinstance(node, Block):
        yield from ((kept.what, kept.width * BYTES) for kept in node.cached if kept.grows)
