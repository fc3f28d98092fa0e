"""Batches as a function of (seed, split, step): the same in a resumed run and for any number of processes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor


def tokens(ids: Any, device: str | torch.device = "cpu") -> Tensor:
    """Token ids (a numpy array or a tensor) as the smallest tensor that torch can gather: uint8, int16 or int32."""
    if isinstance(ids, Tensor):
        return ids.to(device)
    largest = int(ids.max()) if len(ids) else 0
    kind = "uint8" if largest < 2**8 else "int16" if largest < 2**15 else "int32"
    return torch.from_numpy(ids.astype(kind)).to(device)


def seed_of(*parts: object) -> int:
    """A seed of 63 bits for a generator, from anything that can be written down; neighbours share nothing."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little") >> 1


def starts(count: int, seed: int, step: int, rows: int, split: str = "train") -> Tensor:
    """Where `rows` windows begin, each of `count` places equally likely: int64 of shape [rows], on the CPU."""
    source = torch.Generator().manual_seed(seed_of(seed, split, step))
    return torch.randint(count, (rows,), generator=source)


def windows(ids_N: Tensor, starts_B: Tensor, block_size: int) -> tuple[Tensor, Tensor]:
    """The windows that begin at these places and, one further, their targets: x_BT and y_BT, int64. One gather."""
    both_BU = ids_N.unfold(0, block_size + 1, 1)[starts_B.to(ids_N.device)].long()
    return both_BU[:, :-1], both_BU[:, 1:]


def batch(
    ids: Any, seed: int, step: int, batch_size: int, block_size: int, split: str = "train", rows: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """The batch of a step, x_BT and y_BT, int64: y is x one token further on.

    All rows are drawn, whichever a process takes, so that several processes together see what one alone would see.
    """
    ids_N = tokens(ids) if not isinstance(ids, Tensor) else ids
    places = starts(len(ids_N) - block_size, seed, step, batch_size, split)
    return windows(ids_N, places[rows], block_size)
