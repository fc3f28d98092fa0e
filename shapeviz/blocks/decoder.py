"""One layer of a decoder that reads an encoder: masked self-attention, cross-attention, feed-forward."""

from __future__ import annotations

from shapeviz.blocks.encoder import Sublayer
from shapeviz.lang import Variable, block


@block(role="layer")
def decoder_layer(
    x: Variable, memory: Variable, attend: Sublayer, cross: Sublayer, feed: Sublayer, norm: Sublayer
) -> Variable:
    """x ← Norm(x + MultiHead(x, x));  x ← Norm(x + MultiHead(x, m));  x ← Norm(x + FFN(x))
    (Vaswani et al. 2017, section 3.1)

    x [B T d_model], memory m [B S d_model] → [B T d_model].
    """
    x = norm(x + attend(x, x, name="self_attention"), name="self_attention_norm")
    x = norm(x + cross(x, memory, name="cross_attention"), name="cross_attention_norm")
    return norm(x + feed(x, name="feed_forward"), name="feed_forward_norm")


@block(role="layer")
def pre_norm_decoder_layer(
    x: Variable, memory: Variable, attend: Sublayer, cross: Sublayer, feed: Sublayer, norm: Sublayer
) -> Variable:
    """x ← x + MultiHead(n, n);  x ← x + MultiHead(n, m);  x ← x + FFN(n),  each n = Norm(x)
    (Xiong et al. 2020, table 1)

    x [B T d_model], memory m [B S d_model] → [B T d_model].
    """
    n = norm(x, name="self_attention_norm")
    x = x + attend(n, n, name="self_attention")
    n = norm(x, name="cross_attention_norm")
    x = x + cross(n, memory, name="cross_attention")
    return x + feed(norm(x, name="feed_forward_norm"), name="feed_forward")
