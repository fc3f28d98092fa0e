"""Bytes that one more token adds to the KV cache at a length: none where it drops another from a full window."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.analysis import BYTES, WRITTEN, Analysis, Part
from shapeviz.expr import Expr
from shapeviz.ir import Block, Node


def own(node: Node) -> Iterator[Part]:
    """What the node itself keeps more of, for one sequence."""
    if isinstance(node, Block):
        for kept in node.cached:
            if kept.grows:
                longer = kept.tokens.subs({length: Expr.of(length) + 1 for length in ("S", "T")})
                yield Part(kept.what, kept.width * "b_kv" * (longer - kept.tokens) / "B")


analysis = Analysis(
    "KV-cache growth",
    "bytes that one more token adds to a sequence of S, b_kv bytes an element; a sliding window that is full adds none",
    own,
    unit=BYTES,
    knows=WRITTEN,
    letters={"b_kv": 2},
)
