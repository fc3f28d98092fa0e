"""The gated feed-forward network of gpt-oss: both of its halves are kept within a limit."""

from __future__ import annotations

from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import Variable, apply, block


@block(role="feed_forward", caption="{x} → {width} → {x}, gated")
def clamped_feed_forward(x: Variable, width: Expr) -> Variable:
    """u = clamp(x W_up + b),  g = clamp(x W_gate + b);  FFN(x) = ((u + 1) ⊙ g·σ(α·g)) W_down + b
    (OpenAI 2025)

    x [B S d_model] → [B S d_model]; two matrices and biases for the hidden width, one of them the gate's.
    """
    gate = apply("clamp", "g ≤ limit", linear(x, width, name="gate"))
    gate = apply("silu", "g·σ(α·g)", gate)
    up = apply("clamp", "-limit ≤ u ≤ limit, plus 1", linear(x, width, name="up"))
    return linear(gate * up, x.shape[-1], name="down")
