"""One layer of an encoder, or of a decoder-only model if `attend` masks: the norm after or before each sublayer."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.lang import Variable, block


@dataclass(frozen=True)
class PostNorm(Layer):
    """The norm after each sublayer."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="encoder_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← Norm(x + MultiHead(x, x));  x ← Norm(x + FFN(x))      (Vaswani et al. 2017, section 3.1)

        x [B S d_model] → the same.
        """
        x = self.norm(x + self.attend(x, x, name="self_attention"), name="self_attention_norm")
        return self.norm(x + self.feed(x, name="feed_forward"), name="feed_forward_norm")


@dataclass(frozen=True)
class PreNorm(Layer):
    """The norm before each sublayer."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="pre_norm_encoder_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + MultiHead(n, n),  n = Norm(x);  x ← x + FFN(Norm(x))      (Xiong et al. 2020, table 1)

        x [B S d_model] → the same.
        """
        n = self.norm(x, name="self_attention_norm")
        x = x + self.attend(n, n, name="self_attention")
        return x + self.feed(self.norm(x, name="feed_forward_norm"), name="feed_forward")
