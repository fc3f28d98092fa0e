"""The position-wise feed-forward network, of any list of widths, plain or gated."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.activation import activation as activate
from shapeviz.blocks.activation import written_as
from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Feed
from shapeviz.expr import Expr
from shapeviz.lang import Variable, block, state, write, written

MANY = 3  # hidden layers, up to which the equation shows each of them
WITH_BIASES = {
    "max(0, {0})": "Vaswani et al. 2017, eq. 2",
    "GELU({0})": "Vaswani et al. 2017, eq. 2, with the GELU of Hendrycks & Gimpel 2016",
    "ReLU²({0})": "Vaswani et al. 2017, eq. 2, with the squared ReLU of So et al. 2021",
}
WITHOUT_BIASES = {
    "max(0, {0})": "Shazeer 2020, eq. 2", "GELU({0})": "Shazeer 2020, eq. 3", "SiLU({0})": "Shazeer 2020, eq. 3",
}  # fmt: skip
GATES = {"σ({0})", "max(0, {0})", "GELU({0})", "SiLU({0})"}
"""Which paper has the network with which function; what stands in none of them has no citation."""


@dataclass(frozen=True)
class FeedForward(Feed):
    """Linear layers of these hidden `widths`, an elementwise function after each of them, and one that leads back."""

    widths: tuple[Expr, ...]
    bias: bool = True
    activation: str = "relu"

    @block(kind="feed_forward", role="feed_forward", caption="{x} → {self.widths} → {x}", term="FFN({x})")
    def __call__(self, x: Variable) -> Variable:
        """FFN(x) = max(0, x W_1 + b_1) W_2 + b_2      (Vaswani et al. 2017, eq. 2)

        x [B S d_model] → [B S d_model], through [B S width] for every hidden width.
        """
        y, last = x, len(self.widths) + 1
        for i, width in enumerate(self.widths, 1):
            y = activate(self.activation, linear(y, width, self.bias, f"{i}", name=f"linear_{i}"))
        y = linear(y, x.shape[-1], self.bias, f"{last}", name=f"linear_{last}")
        if last > MANY + 1:
            write(y, self._shortened())
        return state("FFN(x)", y, self._citation())

    def _shortened(self) -> str:
        """The equation of many layers, the first and the last of which it shows."""
        first, last = (f" + b_{i}" * self.bias for i in "1n")
        sign = written_as(self.activation)
        inner = sign.replace("{0}", f"x W_1{first}")
        return sign.replace("{0}", f"… {inner} …") + f" W_n{last}"

    def _citation(self) -> str:
        paper = (WITH_BIASES if self.bias else WITHOUT_BIASES).get(written_as(self.activation), "")
        return paper + ", for any number of layers" * (bool(paper) and len(self.widths) > 1)


@dataclass(frozen=True)
class GatedFeedForward(Feed):
    """For every hidden width two linear layers, one of which is the gate of the other; and one that leads back."""

    widths: tuple[Expr, ...]
    bias: bool = True
    activation: str = "silu"

    @block(kind="gated_feed_forward", role="feed_forward", caption="{x} → {self.widths} → {x}, gated", term="FFN({x})")
    def __call__(self, x: Variable) -> Variable:
        """FFN(x) = (SiLU(x W_gate) ⊙ x W_up) W_down      (Shazeer 2020, eq. 6)

        x [B S d_model] → [B S d_model].
        """
        y, steps = x, ""
        for i, width in enumerate(self.widths, 1):
            gate = activate(self.activation, linear(y, width, self.bias, "gate", name=f"gate_{i}"))
            y = gate * linear(y, width, self.bias, "up", name=f"up_{i}")
            if len(self.widths) > 1:  # what every hidden width does is written once
                steps = f"x ← {written(y)} for every hidden width;  "
                write(y, "x")
        y = linear(y, x.shape[-1], self.bias, "down", name="down")
        return state(f"{steps}FFN(x)", y, self._citation())

    def _citation(self) -> str:
        changes = ["with biases"] * self.bias + ["for any number of layers"] * (len(self.widths) > 1)
        return ", ".join(["Shazeer 2020, eq. 6", *changes]) if written_as(self.activation) in GATES else ""
