"""Layers that normalise what a sublayer gives before it is added: after it alone, or before and after it."""

from __future__ import annotations

from shapeviz.blocks.encoder import Sublayer
from shapeviz.lang import Variable, block


@block(role="layer")
def sandwich_layer(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← x + Norm(MultiHead(n, n)),  n = Norm(x);  x ← x + Norm(FFN(Norm(x)))      (Ding et al. 2021, section 2.4)

    x [B S d_model] → the same; four norms.
    """
    n = norm(x, name="self_attention_norm")
    x = x + norm(attend(n, n, name="self_attention"), name="self_attention_output_norm")
    fed = feed(norm(x, name="feed_forward_norm"), name="feed_forward")
    return x + norm(fed, name="feed_forward_output_norm")


@block(role="layer")
def output_norm_layer(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← x + Norm(MultiHead(x, x));  x ← x + Norm(FFN(x))      (OLMo et al. 2024, section 2.1)

    x [B S d_model] → the same.
    """
    x = x + norm(attend(x, x, name="self_attention"), name="self_attention_norm")
    return x + norm(feed(x, name="feed_forward"), name="feed_forward_norm")
