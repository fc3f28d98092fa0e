"""Packed sequences: their lengths are data, so that each is taken to have its full one, which is said.

What they cost is then what the padded batch costs, the most that they can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from shapeviz.tracing.torch_private import Size

# Where the running trace writes what it takes for granted.
assume: ContextVar[Callable[[str], None]] = ContextVar("assume")
FULL = "every packed sequence has its full length; shorter ones cost less"


class BatchSizes:
    """How many sequences are that long, of a batch of which all are: a tensor [S], as far as torch looks at it."""

    device = torch.device("cpu")

    def __init__(self, batch: Size, length: Size) -> None:
        self.batch, self.length = batch, length

    @classmethod
    def __torch_function__(cls, *_: object) -> object:
        return NotImplemented  # that it has this method makes torch take it for a tensor

    def __getitem__(self, step: object) -> Size:
        return self.batch

    def __len__(self) -> int:
        return int(self.length)

    def size(self, axis: int = 0) -> Size:
        """The length of all sequences."""
        return self.length

    def to(self, *_: object, **__: object) -> BatchSizes:
        """Wherever it is wanted."""
        return self

    cpu = to


def pack(x: Tensor, lengths: object, batch_first: bool) -> tuple[Tensor, BatchSizes]:
    """The rows of a padded batch, [B S …] or [S B …], one after the other."""
    assume.get()(FULL)
    batch, length = x.shape[:2] if batch_first else (x.shape[1], x.shape[0])
    return x.reshape(batch * length, *x.shape[2:]).clone(), BatchSizes(batch, length)


def pad(data: Tensor, sizes: BatchSizes, batch_first: bool, value: float, longest: Size) -> tuple[Tensor, Tensor]:
    """The padded batch again, with its lengths."""
    shape = (sizes.batch, sizes.length) if batch_first else (sizes.length, sizes.batch)
    padded = data.reshape(*shape, *data.shape[1:]).clone()
    return padded, torch.empty(sizes.batch, dtype=torch.int64)


def in_order(
    x: Tensor, sizes: BatchSizes, hx: Sequence[Tensor], weights: Sequence[Tensor], *how: object
) -> tuple[object, ...]:
    """The arguments of a recurrent layer for a packed sequence in the order of those for a padded one."""
    return x, hx, weights, *how, False


@contextmanager
def unchecked() -> Iterator[None]:
    """What torch.nn checks of a packed sequence is not checked: it would take its size for a number."""
    checks = {kind: kind.check_forward_args for kind in (nn.RNNBase, nn.LSTM)}

    def check(kind: type[nn.RNNBase]) -> Callable[..., None]:
        def of_padded(layer: nn.RNNBase, x: Tensor, hidden: Tensor, sizes: object) -> None:
            if not isinstance(sizes, BatchSizes):
                checks[kind](layer, x, hidden, sizes)  # type: ignore[arg-type]

        return of_padded

    for kind in checks:
        kind.check_forward_args = check(kind)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for kind, own in checks.items():
            kind.check_forward_args = own  # type: ignore[method-assign]
