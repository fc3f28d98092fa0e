"""A layer whose attention and feed-forward network read the same input, side by side."""

from __future__ import annotations

from shapeviz.blocks.encoder import Sublayer
from shapeviz.lang import Variable, block


@block(role="layer")
def parallel_layer(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← x + MultiHead(n, n) + FFN(n),  n = Norm(x)      (Wang & Komatsuzaki 2021; Chowdhery et al. 2022, section 2)

    x [B S d_model] → the same; one norm for both.
    """
    n = norm(x, name="norm")
    return x + attend(n, n, name="self_attention") + feed(n, name="feed_forward")


@block(role="layer")
def parallel_layer_of_two_norms(x: Variable, attend: Sublayer, feed: Sublayer, norm: Sublayer) -> Variable:
    """x ← x + MultiHead(n, n) + FFN(Norm(x)),  n = Norm(x)      (Black et al. 2022, section 2.1)

    x [B S d_model] → the same; a norm of its own for each of the two.
    """
    n = norm(x, name="self_attention_norm")
    attended = attend(n, n, name="self_attention")
    return x + attended + feed(norm(x, name="feed_forward_norm"), name="feed_forward")
