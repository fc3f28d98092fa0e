"""The position-wise feed-forward network, of any list of widths, plain or gated."""

from __future__ import annotations

from shapeviz.blocks.activation import activation as activate
from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import Variable, block, restate

GLU = "Shazeer 2020, eq. 6, for any number of layers"
LETTERS = {"relu": "", "silu": "SiLU", "swish": "SiLU", "relu2": "ReLU²", "tanh": "tanh"}


@block(role="feed_forward", caption="{x} → {widths} → {x}")
def feed_forward(x: Variable, widths: tuple[Expr, ...], bias: bool = True, activation: str = "relu") -> Variable:
    """FFN(x) = max(0, … max(0, x W_1 + b_1) …) W_n + b_n      (Vaswani et al. 2017, eq. 2, for any number of layers)

    x [B S d_model] → [B S d_model], through [B S width] for every hidden width.
    """
    if activation != "relu":
        σ = _letters(activation)
        restate(f"FFN(x) = {σ}(x W_1 + b_1) W_2 + b_2" if bias else f"FFN(x) = {σ}(x W_1) W_2")
    elif not bias:
        restate("FFN(x) = max(0, … max(0, x W_1) …) W_n", "Shazeer 2020, eq. 2, for any number of layers")
    y = x
    for i, width in enumerate(widths, 1):
        y = linear(y, width, bias, name=f"linear_{i}")
        y = activate(activation, y)
    return linear(y, x.shape[-1], bias, name=f"linear_{len(widths) + 1}")


@block(role="feed_forward", caption="{x} → {widths} → {x}, gated")
def gated_feed_forward(x: Variable, widths: tuple[Expr, ...], bias: bool = True, activation: str = "silu") -> Variable:
    """x ← SiLU(x W_gate + b) ⊙ (x W_up + b) for every hidden width;  FFN(x) = x W_down + b
    (Shazeer 2020, eq. 6, with biases and for any number of layers)

    x [B S d_model] → [B S d_model]; every hidden width has two matrices, one of them the gate's.
    """
    σ = _letters(activation)
    if not bias:
        restate(f"x ← {σ}(x W_gate) ⊙ x W_up for every hidden width;  FFN(x) = x W_down", GLU)
    elif σ != "SiLU":
        restate(
            f"x ← {σ}(x W_gate + b) ⊙ (x W_up + b) for every hidden width;  FFN(x) = x W_down + b",
            f"{GLU}, with biases",
        )
    y = x
    for i, width in enumerate(widths, 1):
        gate = activate(activation, linear(y, width, bias, name=f"gate_{i}"))
        y = gate * linear(y, width, bias, name=f"up_{i}")
    return linear(y, x.shape[-1], bias, name="down")


def _letters(activation: str) -> str:
    """The function's name in an equation: GELU for all its approximations."""
    return "GELU" if "gelu" in activation else LETTERS.get(activation) or activation
