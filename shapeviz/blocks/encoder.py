"""One layer of an encoder, or of a decoder-only model if `attend` masks: the norm after or before each sublayer."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.lang import Variable, block

Sublayer = Callable[..., Variable]


@block(role="layer")
def encoder_layer(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← Norm(x + MultiHead(x, x));  x ← Norm(x + FFN(x))      (Vaswani et al. 2017, section 3.1)

    x [B S d_model] → the same.
    """
    x = norm(x + attend(x, x, name="self_attention"), name="self_attention_norm")
    return norm(x + feed(x, name="feed_forward"), name="feed_forward_norm")


@block(role="layer")
def pre_norm_encoder_layer(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← x + MultiHead(n, n),  n = Norm(x);  x ← x + FFN(Norm(x))      (Xiong et al. 2020, table 1)

    x [B S d_model] → the same.
    """
    n = norm(x, name="self_attention_norm")
    x = x + attend(n, n, name="self_attention")
    return x + feed(norm(x, name="feed_forward_norm"), name="feed_forward")
