"""The gated feed-forward network of gpt-oss: both of its halves are kept within a limit."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Feed
from shapeviz.expr import Expr
from shapeviz.lang import Variable, apply, block, restate, write, written


@dataclass(frozen=True)
class ClampedFeedForward(Feed):
    """Two matrices and biases for the hidden `width`, one of them the gate's, and one pair that leads back."""

    width: Expr

    @block(kind="clamped_feed_forward", role="feed_forward", caption="{x} → {self.width} → {x}, gated", term="FFN({x})")
    def __call__(self, x: Variable) -> Variable:
        """FFN(x) = (g·σ(α·g) ⊙ (u + 1)) W_down + b_down,  g = min(x W_gate + b_gate, l),  u = clamp(x W_up + b_up)
        (OpenAI 2025)

        x [B S d_model] → [B S d_model].
        """
        limited = linear(x, self.width, letter="gate", name="gate")
        limited = write(apply("clamp", "g ≤ limit", limited), "min({0}, l)", limited)
        gate = write(apply("silu", "g·σ(α·g)", limited), "g·σ(α·g)")
        clamped = linear(x, self.width, letter="up", name="up")
        up = apply("clamp", "-limit ≤ u ≤ limit, plus 1", clamped)
        write(clamped, f"clamp({written(clamped)}, -l, l)")
        y = linear(gate * write(up, "u + 1"), x.shape[-1], letter="down", name="down")
        restate(f"FFN(x) = {written(y)},  g = {written(limited)},  u = {written(clamped)}", "OpenAI 2025")
        return y
