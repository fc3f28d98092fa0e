"""Scaled dot-product attention and its multi-head form, from multi-head to grouped and multi-query."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr, ExprLike
from shapeviz.ir import Axis
from shapeviz.lang import (
    Variable,
    add,
    apply,
    axis,
    block,
    matmul,
    merge_heads,
    param,
    remember,
    restate,
    softmax,
    split_heads,
    sqrt,
)

Rows = Callable[..., Variable]


@block(role="attention")
def attention(
    Q: Variable,
    K: Variable,
    V: Variable,
    mask: str = "",
    shift: Variable | None = None,
    sinks: Expr | None = None,
    scaled: bool = True,
) -> Variable:
    """Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V      (Vaswani et al. 2017, eq. 1)

    Q [B h S d_k], K [B h T d_k], V [B h T d_v] → [B h S d_v]. A mask changes no shape, and FLOPs are counted dense.
    A `shift` [h S T] is added to the scores; with `sinks` every head has a learned logit that no value goes with
    (OpenAI 2025; sinks were found by Xiao et al. 2023).
    Unless they are `scaled`, the scores are not divided by anything.
    """
    if shift or not scaled:
        restate(f"Attention(Q, K, V) = softmax(Q Kᵀ{' / √d_k' * scaled}{' + b' if shift else ''}) V")
    if sinks is not None:
        restate(
            "Attention(Q, K, V) = P V,  [P; p_s] = softmax([Q Kᵀ / √d_k; s])",
            "OpenAI 2025; sinks were found by Xiao et al. 2023",
        )
    d_k = K.shape[-1]
    scores = matmul(Q, K.T, name="scores")
    if scaled:
        scores = scores / sqrt(d_k)
    if shift:
        scores = add(scores, shift, name="shifted")
    if mask:
        scores = apply("mask", f"{mask} mask", scores)
    if sinks is None:
        weights = softmax(scores, name="weights")
    else:
        weights = apply("softmax", f"softmax over {scores.shape[-1]} and the head's sink s", scores, param("s", sinks))
    return matmul(weights, V, name="weighted_values")


def head_axes(h: ExprLike, g: ExprLike) -> tuple[Axis, ...]:
    """The axes of h query heads: h, or g groups of h/g; the first of them is that of the key/value heads.

    They have names, so that the heads of queries, keys and values are the same whatever their sizes are written as.
    """
    if g == h:
        return (axis("h", h),)
    return axis("g", g), axis("r", Expr.of(h) / g)


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
    rotate: Rows | None = None,
    shift: Variable | None = None,
    output_bias: bool | None = None,
    key_bias: bool | None = None,
    norm: Rows | None = None,
    wide_norm: Rows | None = None,
    sinks: bool = False,
    cache: Expr | None = None,
    grows: bool = True,
    scaled: bool = True,
) -> Variable:
    """MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  head_i = Attention(x W_Q^i, m W_K^i, m W_V^i)
    (Vaswani et al. 2017, section 3.2.2)

    x [B S d_model], memory m [B T d_model] → [B S d_model]. Fewer key/value heads g < h are shared by groups of
    h/g query heads (Ainslie et al. 2023, section 2.2; g = 1: Shazeer 2019, section 3). `rotate` turns queries and keys;
    `norm` is taken of each of their heads, with a learned scale (Dehghani et al. 2023, section 2; Henry et al. 2020
    make them of length one, with one scale for all heads), `wide_norm` of all heads at once (OLMo et al. 2024,
    section 2.1). `cache` says how many tokens' keys and values generation keeps. The output's and the keys' biases are
    those of the others unless said.
    """
    groups = head_axes(h, g)
    if g != h:
        restate(
            "MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  "
            "head_i = Attention(x W_Q^i, m W_K^j, m W_V^j),  j = ⌈i·g/h⌉",
            "Ainslie et al. 2023, section 2.2",
            caption="heads {h} × {d_k}, {g} for keys and values",
        )
    q, k, v = (
        linear(x, h * d_k, bias, name="query"),
        linear(memory, g * d_k, bias if key_bias is None else key_bias, name="key"),
        linear(memory, g * d_v, bias, name="value"),
    )
    if wide_norm:
        q, k = wide_norm(q, name="query_norm"), wide_norm(k, name="key_norm")
    Q, K, V = (
        split_heads(q, *groups, name="query_heads"),
        split_heads(k, groups[0], name="key_heads"),
        split_heads(v, groups[0], name="value_heads"),
    )
    if norm:
        Q, K = norm(Q, name="query_norm"), norm(K, name="key_norm")
    if rotate:
        Q, K = rotate(Q, name="query_rotary"), rotate(K, name="key_rotary")
    if cache is not None:
        remember("keys", g * d_k, cache, grows)
        remember("values", g * d_v, cache, grows)
    found = attention(Q, K, V, mask, shift, h if sinks else None, scaled)
    heads = merge_heads(found, len(groups), name="concat")
    return linear(heads, x.shape[-1], bias if output_bias is None else output_bias, name="output")
