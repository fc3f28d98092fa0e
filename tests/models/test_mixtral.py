"""Mixtral against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, experts, windows and tying."""
    experts = random.randint(1, 6)
    return {
        **usual_sizes(random),
        "num_local_experts": experts,
        "num_experts_per_tok": random.randint(1, experts),
        "sliding_window": random.choice([None, 64]),
    }


def test_counts_equal_transformers() -> None:
    check_counts("mixtral", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_at_three_points(seed: int) -> None:
    check_flops("mixtral", sample, seed, points=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("mixtral", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("mixtral", sample, seed)
