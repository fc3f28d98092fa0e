"""The affine map, and the product with a table that an embedding already owns."""

from __future__ import annotations

from shapeviz.expr import ExprLike
from shapeviz.lang import Size, Variable, add, block, buffer, matmul, param, restate, term

TYING = "Press & Wolf 2017"


@block(role="linear", caption="{x} → {d_out}", step=True)
def linear(x: Variable, d_out: Size, bias: bool = True, letter: str = "") -> Variable:
    """y = x W + b

    x [… d_in] → [… d_out]; W [d_in d_out], b [d_out]. An equation of which it is a step calls them W_Q and b_Q, for a
    `letter` Q.
    """
    index = f"_{letter}" * bool(letter)
    term(f"{{x}} W{index}" + f" + b{index}" * bias)
    y = matmul(x, param("W", x.axes[-1], d_out))
    if not bias:
        restate("y = x W")
        return y
    return add(y, param("b", d_out))


@block(role="head", title="Output head", caption="{x} → {vocabulary}", step=True)
def head(x: Variable, table: Variable, vocabulary: ExprLike, bias: bool = False) -> Variable:
    """logits = x W_Eᵀ      (Press & Wolf 2017)

    x [… d_model] → [… V]. The table [V d_model] is the embedding's own, W_E, if the two are tied. No bias unless asked
    for.
    """
    tied = TYING + ", with a bias" * bias if table.name == "W_E" else ""
    restate(f"logits = x {table.name}ᵀ" + " + b" * bias, tied)
    term(f"{{x}} {table.name}ᵀ" + " + b" * bias)
    logits = matmul(x, table.T)
    return add(logits, param("b", vocabulary)) if bias else logits


@block(role="head", title="Classifier", caption="{x} → {d_out}", step=True)
def classifier(x: Variable, d_out: ExprLike, bias: bool = True) -> Variable:
    """scores = x W + b

    x [… d_in] → [… d_out], one score for each of d_out labels.
    """
    term("{x} W" + " + b" * bias)
    scores = matmul(x, param("W", x.shape[-1], d_out))
    if not bias:
        restate("scores = x W")
        return scores
    return add(scores, param("b", d_out))


@block(role="head", title="Fixed bias", caption="{d_out}", step=True, term="{x} + c")
def fixed_bias(x: Variable, d_out: ExprLike) -> Variable:
    """y = x + c

    x [… d_out] → the same; c [d_out] is stored and never trained.
    """
    return add(x, buffer("c", d_out))
