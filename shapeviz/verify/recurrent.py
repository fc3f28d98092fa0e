"""A recurrence against PyTorch: its module loops over the tokens, so it runs on a few, and its cost is a line in S."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shapeviz.expr import Expr
from shapeviz.ir import Block
from shapeviz.report import Check

BATCH = 2
LENGTHS = (3, 5, 8)
"""Two lengths make the line, the third is on it."""


def is_recurrent(block: Block) -> bool:
    """Whether a block runs once for every token: a trace would unroll thousands of steps."""
    return bool(block.repeat.names & {"S", "T"}) or any(map(is_recurrent, block.blocks))


def unrolled(flops: Expr, module: Any) -> Check:
    """FLOPs, a formula in B and S, against what PyTorch's counter sees of short sequences, step by step."""
    ours = flops.subs({"B": BATCH})
    counts = {length: _counted(module, length) for length in LENGTHS}
    first, second, third = LENGTHS
    slope = (Expr.of(counts[second]) - counts[first]) / (second - first)
    line = slope * (Expr.of("S") - first) + counts[first]
    run = f"at B = {BATCH}, the recurrence run step by step for S = {', '.join(map(str, LENGTHS))}"
    if line.at(S=third) != counts[third]:
        return Check("model", "flops", ours.at(S=third), counts[third], "FlopCounterMode", f"{run}: no line")
    return Check("model", "flops", ours, line, "FlopCounterMode", run)


def _counted(module: nn.Module, length: int) -> int:
    ids = torch.zeros(BATCH, length, dtype=torch.int64, device="meta")
    counter = FlopCounterMode(display=False)
    with _quiet(), torch.no_grad(), counter:
        module(ids, use_cache=False)
    return int(counter.get_total_flops())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the hint that fused kernels are not installed: they are what the counter could not see."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
