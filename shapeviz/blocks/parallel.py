"""A layer whose attention and feed-forward network read the same input, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.sublayer import Attend, Feed, Layer, Norm
from shapeviz.lang import Variable, block


@dataclass(frozen=True)
class Parallel(Layer):
    """One norm for both sublayers."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="parallel_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + MultiHead(n, n) + FFN(n),  n = Norm(x)
        (Wang & Komatsuzaki 2021; Chowdhery et al. 2022, section 2)

        x [B S d_model] → the same.
        """
        n = self.norm(x, name="norm")
        return x + self.attend(n, n, name="self_attention") + self.feed(n, name="feed_forward")


@dataclass(frozen=True)
class ParallelOfTwoNorms(Layer):
    """A norm of its own for each of the two sublayers."""

    attend: Attend
    feed: Feed
    norm: Norm

    @block(kind="parallel_layer_of_two_norms", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + MultiHead(n, n) + FFN(Norm(x)),  n = Norm(x)      (Black et al. 2022, section 2.1)

        x [B S d_model] → the same.
        """
        n = self.norm(x, name="self_attention_norm")
        attended = self.attend(n, n, name="self_attention")
        return x + attended + self.feed(self.norm(x, name="feed_forward_norm"), name="feed_forward")
