"""The loss over the validation split: fixed windows, every token once, the same for any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shapeviz.train.batches import batch
from shapeviz.train.distributed import World

FIRST = 2**14
"""Tokens of which the loss before the first step is taken at most: it is near ln V on all of them."""
LAST = 2**19
"""Tokens that the evaluation after the last step takes besides, at most."""
CHUNK = 2**14
"""Tokens evaluated at once, at most."""
LOGITS = 2**24
"""Logits that are in memory at once, at most, unless a single window has more."""


def loss_of(module: nn.Module, x_BT: Tensor, y_BT: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy in nats per token (or its sum), computed in fp32."""
    logits_BTV = module(x_BT)
    return F.cross_entropy(logits_BTV.float().flatten(0, 1), y_BT.flatten(), reduction=reduction)


def together(vocab_size: int) -> int:
    """Tokens that are evaluated at once, for all of which there are logits.

    >>> together(65), together(30_000)
    (16384, 559)
    """
    return max(1, min(CHUNK, LOGITS // vocab_size))


def spread(count: int, block_size: int, largest: int) -> str:
    """On what a loss is taken, in words.

    >>> spread(1_001, 10, 1_000), spread(1_012, 10, 1_000)
    ('the validation split', 'the validation split (1,000 of its 1,011 tokens, evenly spread)')
    """
    taken = sum(len(places) * length for places, length in chunks(count, block_size, largest))
    whole = taken == count - 1
    return "the validation split" + ("" if whole else f" ({taken:,} of its {count - 1:,} tokens, evenly spread)")


def chunks(
    count: int, block_size: int, largest: int | None = None, at_once: int | None = None
) -> list[tuple[list[int], int]]:
    """(places, length) of windows of `count` tokens that are evaluated together; every target once.

    Of more than `largest` targets a sample of windows, evenly spread and always the same.

    >>> chunks(12, 5)
    [([0, 5], 5), ([10], 1)]
    """
    whole, rest = divmod(count - 1, block_size)
    wanted = whole if largest is None or largest >= count - 1 else min(whole, max(1, largest // block_size))
    places = [i * whole // wanted * block_size for i in range(wanted)] if wanted else []
    step = max(1, (at_once or CHUNK) // block_size)
    groups = [(places[i : i + step], block_size) for i in range(0, len(places), step)]
    return [*groups, ([whole * block_size], rest)] if rest and wanted == whole else groups


@torch.no_grad()
def evaluate(
    module: nn.Module,
    ids_N: Tensor,
    block_size: int,
    world: World | None = None,
    stopped: Callable[[], bool] = lambda: False,
    largest: int | None = None,
    at_once: int | None = None,
) -> float | None:
    """Mean loss in nats per token over the split, or over a sample of it: see `chunks`.

    Processes take the chunks in turn; their sums are added in one order, so that the figure is the same for any number
    of them. None if `stopped` asks for an end in any of them.
    """
    world = world or World()
    parts = chunks(len(ids_N), block_size, largest, at_once)
    sums = torch.zeros(len(parts), dtype=torch.float64)
    with _evaluating(module):
        for i in range(world.rank, -(-len(parts) // world.size) * world.size, world.size):
            # of sharded weights all processes must see equally many chunks
            places, length = parts[min(i, len(parts) - 1)]
            both = ids_N.unfold(0, length + 1, 1)[torch.tensor(places, device=ids_N.device)].long()
            loss = float(loss_of(module, both[:, :-1], both[:, 1:], "sum"))
            if i < len(parts):
                sums[i] = loss
            if world.any(stopped()):
                return None
    if world.size > 1:
        sums = world.sum(sums.to(ids_N.device) if ids_N.is_cuda else sums).cpu()
    tokens = sum(len(places) * length for places, length in parts)
    return float(sums.sum()) / tokens


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """The module without dropout, and afterwards as it was."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


@torch.no_grad()
def one_batch(module: nn.Module, ids_N: Tensor, seed: int, step: int, batch_size: int, block_size: int) -> float:
    """Loss on one random validation batch, as the founding report's recipe evaluates; its deviation is about 0.065."""
    x_BT, y_BT = batch(ids_N, seed, step, batch_size, block_size, split="validation")
    with _evaluating(module):
        return float(loss_of(module, x_BT, y_BT))
