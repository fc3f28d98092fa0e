"""Bytes that generation keeps of one more token: keys and values of all heads, or one latent vector for them."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, WRITTEN, Analysis, Part
from shapeviz.expr import Expr
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """What the node itself keeps of one more token: nothing of it where that drops another from a window."""
    if isinstance(node, Block):
        for kept in node.cached:
            if kept.grows:
                longer = kept.tokens.subs({length: Expr.of(length) + 1 for length in ("S", "T")})
                yield Part(kept.what, kept.width * "b_kv" * (longer - kept.tokens) / "B")


analysis = Analysis(
    "KV-cache bytes per token",
    "bytes that one more token of a sequence of S adds, b_kv bytes an element; a sliding window that is full adds none",
    own,
    unit=BYTES,
    knows=WRITTEN,
    letters={"b_kv": 2},
)
