"""The steps inside a block as modules without weights: each carries its row's name, so that a hook sees its shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Add(nn.Module):
    """a + b."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class Multiply(nn.Module):
    """a ⊙ b."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b


class Product(nn.Module):
    """A matrix product of the last two axes, the second factor as it is or transposed."""

    def __init__(self, *, transposed: bool = False) -> None:
        super().__init__()
        self.transposed = transposed

    def forward(self, a: Tensor, b: Tensor) -> Tensor:  # [… S k], [… k T] or [… T k]
        return a @ (b.transpose(-2, -1) if self.transposed else b)  # [… S T]


class Scale(nn.Module):
    """x / √d."""

    def forward(self, x: Tensor, d: int) -> Tensor:
        return x / float(d**0.5)


class CausalMask(nn.Module):
    """Minus infinity wherever a query would look at a later key."""

    def forward(self, scores: Tensor) -> Tensor:  # [… T T]
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        return scores.masked_fill(future, float("-inf"))


class SplitHeads(nn.Module):
    """[B S h·d] → [B h S d], or [B g r S d] for counts (g, r)."""

    def __init__(self, counts: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.sizes = (*counts, width)

    def forward(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], *self.sizes).movedim(1, -2)


class MergeHeads(nn.Module):
    """[B h S d] or [B g r S d] → [B S h·d]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(-2, 1).flatten(2)
