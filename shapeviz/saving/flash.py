"""FlashAttention: of attention the scores are never kept, they are computed anew (Dao et al. 2022, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator

from shapeviz.expr import product
from shapeviz.ir import Block, Op
from shapeviz.saving.rules import Context, Kept

FUSED = ("scale", "mask", "softmax", "matmul")
"""What the kernel computes; sums with positions and sinks it does not."""


def computes(block: Block) -> bool:
    """Whether the kernel computes what a block of attention does."""
    return block.kind == "attention" and all(
        isinstance(node, Op) and node.kind in FUSED and all(tensor.role == "data" for tensor in node.inputs)
        for node in block.body
    )


def kept(block: Block, context: Context) -> Iterator[Kept]:
    """Q, K, V, the result, and 4 bytes for every query and head: the logarithm of the sum under its softmax."""
    yield from (Kept(tensor) for tensor in block.inputs if tensor in context.learning)
    yield Kept(block.output)
    yield Kept(None, "log-sum-exp (float32)", product(block.output.shape[:-1]) * 4)
