"""Multi-head latent attention: keys and values of all heads are made from one small vector, the only one kept."""

from __future__ import annotations

from shapeviz.blocks.attention import Rows, attention
from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import (
    Variable,
    axis,
    block,
    concatenate,
    merge_heads,
    part,
    remember,
    reshape,
    restate,
    split_heads,
)

SOURCE = "DeepSeek-AI 2024, arXiv:2405.04434, sections 2.1.2–2.1.3 and appendix C"


@block(role="attention", caption="heads {h} × ({d_n} + {d_r}), latent {r_kv}")
def latent_attention(
    x: Variable,
    memory: Variable,
    h: Expr,
    d_n: Expr,
    d_r: Expr,
    d_v: Expr,
    r_kv: Expr,
    r_q: Expr | None,
    norm: Rows,
    rotate: Rows,
    bias: bool = False,
    cache: Expr | None = None,
) -> Variable:
    """c = Norm(m W_DKV);  k_i = [c W_UK^i; RoPE(m W_KR)],  v_i = c W_UV^i,  q_i = Norm(x W_DQ) W_UQ^i
    (DeepSeek-AI 2024, arXiv:2405.04434, sections 2.1.2–2.1.3 and appendix C)

    x [B S d_model] → the same. A head's queries and keys are d_n wide plus d_r turned by the position, its values d_v.
    What generation keeps of a token is c [r_kv] and one turned key [d_r], for all heads. Without r_q queries come
    from x at once.
    """
    if r_q is None:
        restate("c = Norm(m W_DKV);  k_i = [c W_UK^i; RoPE(m W_KR)],  v_i = c W_UV^i,  q_i = x W_Q^i", SOURCE)
        q = linear(x, h * (d_n + d_r), bias=False, name="query")
    else:
        low = norm(linear(x, r_q, bias, name="query_down"), name="query_norm")
        q = linear(low, h * (d_n + d_r), bias=False, name="query_up")
    down = linear(memory, r_kv + d_r, bias, name="key_value_down")
    c = norm(part(down, r_kv, name="latent"), name="key_value_norm")
    heads = axis("h", h)
    up = split_heads(linear(c, h * (d_n + d_v), bias=False, name="key_value_up"), heads, name="key_value_heads")
    Q = split_heads(q, heads, name="query_heads")
    Q = concatenate(part(Q, d_n), rotate(part(Q, d_r), name="query_rotary"), name="queries")
    turned = rotate(part(down, d_r, name="position_key"), name="key_rotary")
    remember_latent(r_kv, d_r, cache)
    shared = reshape("expand", "for every head", turned, *Q.axes[:-1], d_r, name="shared_key")
    K = concatenate(part(up, d_n, name="content_keys"), shared, name="keys")
    found = attention(Q, K, part(up, d_v, name="values"), "causal")
    return linear(merge_heads(found), x.shape[-1], bias, name="output")


def remember_latent(r_kv: Expr, d_r: Expr, tokens: Expr | None) -> None:
    """What generation keeps of each token: the latent and one turned key."""
    if tokens is not None:
        remember("latent", r_kv, tokens)
        remember("turned key", d_r, tokens)
