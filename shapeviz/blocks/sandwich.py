"""Layers that normalise what a sublayer gives before it is added: after it alone, or before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.lang import Variable, block


@dataclass(frozen=True)
class Sandwich(Layer):
    """A norm before and after each sublayer: four."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="sandwich_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + Norm(MultiHead(n, n)),  n = Norm(x);  x ← x + Norm(FFN(Norm(x)))
        (Ding et al. 2021, section 2.4)

        x [B S d_model] → the same.
        """
        n = self.norm(x, name="self_attention_norm")
        x = x + self.norm(self.attend(n, n, name="self_attention"), name="self_attention_output_norm")
        fed = self.feed(self.norm(x, name="feed_forward_norm"), name="feed_forward")
        return x + self.norm(fed, name="feed_forward_output_norm")


@dataclass(frozen=True)
class OutputNorm(Layer):
    """A norm of what each sublayer gives, none before it."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="output_norm_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + Norm(MultiHead(x, x));  x ← x + Norm(FFN(x))      (OLMo et al. 2024)

        x [B S d_model] → the same.
        """
        x = x + self.norm(self.attend(x, x, name="self_attention"), name="self_attention_norm")
        return x + self.norm(self.feed(x, name="feed_forward"), name="feed_forward_norm")
