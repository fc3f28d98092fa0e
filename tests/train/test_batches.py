"""Batches depend on seed, split and step alone, and are windows of the text."""

import numpy as np
import pytest
import torch

from shapeviz.train.batches import batch, seed_of, starts, tokens


def test_targets_are_the_next_tokens_and_windows_those_of_the_text() -> None:
    ids = np.arange(50, dtype=np.uint8)
    x_BT, y_BT = batch(ids, seed=1, step=3, batch_size=7, block_size=5)
    assert ((7, 5), torch.int64) == (tuple(x_BT.shape), x_BT.dtype)
    assert torch.equal(x_BT + 1, y_BT)
    assert torch.equal(x_BT[:, :1] + torch.arange(5), x_BT)


def test_every_place_is_drawn_the_last_as_well_and_evenly() -> None:
    counts = torch.bincount(torch.cat([starts(4, 1, step, 100) for step in range(100)]), minlength=4)
    # 10,000 draws of 4 places: 2500 each, standard deviation 43
    assert 4 == len(counts)
    assert (counts - 2500).abs().max() < 5 * 43
    x_BT, y_BT = batch(torch.arange(6), 1, 0, 50, 5)  # one place only
    assert (0, 5) == (int(x_BT.min()), int(y_BT.max()))


def test_the_same_for_the_same_step_and_others_for_another_seed_split_or_step() -> None:
    ids = torch.arange(10_000)
    first = batch(ids, 1, 1, 8, 4)[0]
    torch.rand(3)  # torch's own generator has no part in it
    assert torch.equal(first, batch(ids, 1, 1, 8, 4)[0])
    for other in (batch(ids, 2, 1, 8, 4), batch(ids, 1, 2, 8, 4), batch(ids, 1, 1, 8, 4, split="validation")):
        assert not torch.equal(first, other[0])


def test_rows_of_two_processes_are_those_of_one() -> None:
    ids = torch.arange(1000)
    parts = [batch(ids, 1, 1, 5, 4, rows=rows)[0] for rows in (slice(0, 2), slice(2, 5))]
    assert torch.equal(batch(ids, 1, 1, 5, 4)[0], torch.cat(parts))


@pytest.mark.parametrize(("largest", "kind"), [(255, torch.uint8), (32_767, torch.int16), (65_535, torch.int32)])
def test_ids_keep_their_values(largest: int, kind: torch.dtype) -> None:
    ids = np.array([0, largest, 1] * 5, dtype=np.uint16)
    assert kind == tokens(ids).dtype
    assert {0, 1, largest} == set(batch(ids, 1, 1, 20, 3)[0].flatten().tolist())


def test_seeds_are_stable_and_differ() -> None:
    assert 5120 == len({seed_of(a, b, "x") for a in range(64) for b in range(80)})
    assert all(0 <= seed_of(i) < 2**63 for i in range(100))
