"""Operations of torch's that take a number for what may be a letter: a number of bins, of classes, the value itself."""

from __future__ import annotations

import torch
from torch import Tensor

from shapeviz.tracing.small_values import number_without_data
from shapeviz.tracing.torch_private import Size


def tensor(data: object, *rest: object, **settings: object) -> object:
    """A tensor of one symbolic number: torch's own takes it for the number that it stands for while it runs."""
    if isinstance(data, torch.SymInt | torch.SymFloat):
        return number_without_data(data, *rest, **settings)
    return torch.tensor(data, *rest, **settings)  # type: ignore[arg-type]


def histc(x: Tensor, bins: Size = 100, *rest: object, **settings: object) -> Tensor:
    """How many elements fall into each of some bins: their number may be a letter."""
    return x.new_empty(bins)


def one_hot(x: Tensor, num_classes: Size = -1) -> Tensor:
    """[…] integers as [… num_classes] zeros and ones, whose number may be a letter."""
    if isinstance(num_classes, torch.SymInt):
        return torch.empty((*x.shape, num_classes), dtype=torch.int64, device=x.device)
    return torch.nn.functional.one_hot(x, num_classes)
