"""The keys and values that generation keeps, so that a token is computed once."""

from __future__ import annotations

import torch
from torch import Tensor


class Cache:
    """Keys and values of up to `longest` tokens of every layer, [N 2 B H L K]; `length` of them are filled.

    A module that is called with one fills it; of the dtype and on the device of the tensor `like`.
    """

    def __init__(self, layers: int, batch: int, heads: int, longest: int, width: int, like: Tensor) -> None:
        shape = (layers, 2, batch, heads, longest, width)
        kept = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.layers = [(keys, values) for keys, values in kept]
        self.length = 0

    def keep(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Adds keys and values of new tokens to a layer's, and gives all of them, [B H L K] each."""
        new = k_BHTK.shape[2]
        (keys, values), start = self.layers[layer], self.length
        keys.narrow(2, start, new).copy_(k_BHTK)
        values.narrow(2, start, new).copy_(v_BHTK)
        return keys.narrow(2, 0, start + new), values.narrow(2, 0, start + new)

    def filled(self, layer: int) -> tuple[Tensor, Tensor]:
        """A layer's keys and values so far, [B H L K] each."""
        keys, values = self.layers[layer]
        return keys.narrow(2, 0, self.length), values.narrow(2, 0, self.length)
