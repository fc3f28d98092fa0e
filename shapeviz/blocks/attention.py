"""Scaled dot-product attention and its multi-head form, from multi-head to grouped and multi-query."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import Variable, apply, block, matmul, merge_heads, restate, softmax, split_heads, sqrt


@block(role="attention")
def attention(Q: Variable, K: Variable, V: Variable, mask: str = "") -> Variable:
    """Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V      (Vaswani et al. 2017, eq. 1)

    Q [B h S d_k], K [B h T d_k], V [B h T d_v] → [B h S d_v]. A mask changes no shape, and FLOPs are counted dense.
    """
    d_k = K.shape[-1]
    scores = matmul(Q, K.T, name="scores") / sqrt(d_k)
    if mask:
        scores = apply("mask", f"{mask} mask", scores)
    weights = softmax(scores, name="weights")
    return matmul(weights, V, name="weighted_values")


@block(role="attention", caption="heads {h} × {d_k}")
def multi_head(
    x: Variable,
    memory: Variable,
    h: Expr,
    g: Expr,
    d_k: Expr,
    d_v: Expr,
    bias: bool = True,
    mask: str = "",
    rotate: Callable[..., Variable] | None = None,
) -> Variable:
    """MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  head_i = Attention(x W_Q^i, m W_K^i, m W_V^i)
    (Vaswani et al. 2017, section 3.2.2)

    x [B S d_model], memory m [B T d_model] → [B S d_model]. Fewer key/value heads g < h are shared by groups of
    h/g query heads (Ainslie et al. 2023, section 2.2; g = 1: Shazeer 2019, section 3). `rotate` turns queries and keys.
    """
    groups = (h,) if g == h else (g, h / g)
    if g != h:
        restate(
            "MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  "
            "head_i = Attention(x W_Q^i, m W_K^j, m W_V^j),  j = ⌈i·g/h⌉",
            caption="heads {h} × {d_k}, {g} for keys and values",
        )
    q, k, v = (
        linear(x, h * d_k, bias, name="query"),
        linear(memory, g * d_k, bias, name="key"),
        linear(memory, g * d_v, bias, name="value"),
    )
    Q, K, V = (
        split_heads(q, *groups, name="query_heads"),
        split_heads(k, g, name="key_heads"),
        split_heads(v, g, name="value_heads"),
    )
    if rotate:
        Q, K = rotate(Q, name="query_rotary"), rotate(K, name="key_rotary")
    heads = merge_heads(attention(Q, K, V, mask), len(groups), name="concat")
    return linear(heads, x.shape[-1], bias, name="output")
