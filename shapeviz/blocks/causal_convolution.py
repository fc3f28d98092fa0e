"""A convolution over the sequence, each channel on its own, in which no token sees a later one."""

from __future__ import annotations

from shapeviz.expr import Expr, ExprLike
from shapeviz.lang import Variable, block, conv, param, remember, reshape, restate


@block(role="linear", title="Causal convolution", caption="{x}, kernel {K}", step=True, term="Conv({x})")
def causal_convolution(x: Variable, K: ExprLike, bias: bool = True, cache: ExprLike | None = None) -> Variable:
    """y = W ∗ x + b

    x [B S d] → the same, y_t = Σ_k W_k ⊙ x_(t-K+k) + b for k = 1 … K; W [d 1 K], b [d].

    K - 1 zeros stand before the first token. PyTorch pads both ends and cuts what comes after the last token, so its
    counter has S + K - 1 places instead of S. Generation keeps the last K inputs of every channel, for each of `cache`
    sequences.
    """
    if not bias:
        restate("y = W ∗ x")
    channels = x.axes[-1]
    W, b = param("W", channels, 1, K), param("b", channels) if bias else None
    if cache is not None:
        remember("last inputs", channels.size * K, cache, grows=False)
    y = conv(x, W, over=x.axes[-2], padding=Expr.of(K) - 1, groups=channels.size, bias=b)
    return reshape("cut", "up to the last token", y, *x.axes, name="causal")
