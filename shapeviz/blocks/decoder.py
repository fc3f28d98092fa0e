"""One layer of a decoder that reads an encoder: masked self-attention, cross-attention, feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.lang import Variable, block


@dataclass(frozen=True)
class PostNormDecoder(Layer):
    """The norm after each of the three sublayers."""

    attend: Attend
    cross: Attend
    feed: Feed
    norm: Norm

    @block(kind="decoder_layer", role="layer")
    def __call__(self, x: Variable, memory: Variable) -> Variable:
        """x ← Norm(x + MultiHead(x, x));  x ← Norm(x + MultiHead(x, m));  x ← Norm(x + FFN(x))
        (Vaswani et al. 2017, section 3.1)

        x [B T d_model], memory m [B S d_model] → [B T d_model].
        """
        x = self.norm(x + self.attend(x, x, name="self_attention"), name="self_attention_norm")
        x = self.norm(x + self.cross(x, memory, name="cross_attention"), name="cross_attention_norm")
        return self.norm(x + self.feed(x, name="feed_forward"), name="feed_forward_norm")


@dataclass(frozen=True)
class PreNormDecoder(Layer):
    """The norm before each of the three sublayers."""

    attend: Attend
    cross: Attend
    feed: Feed
    norm: Norm

    @block(kind="pre_norm_decoder_layer", role="layer")
    def __call__(self, x: Variable, memory: Variable) -> Variable:
        """x ← x + MultiHead(n, n),  n = Norm(x);  x ← x + MultiHead(n, m),  n = Norm(x);  x ← x + FFN(Norm(x))
        (Xiong et al. 2020, table 1, with attention to m)

        x [B T d_model], memory m [B S d_model] → [B T d_model].
        """
        n = self.norm(x, name="self_attention_norm")
        x = x + self.attend(n, n, name="self_attention")
        n = self.norm(x, name="cross_attention_norm")
        x = x + self.cross(n, memory, name="cross_attention")
        return x + self.feed(self.norm(x, name="feed_forward_norm"), name="feed_forward")
