"""Command R against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, biases, norms of queries and keys, tying."""
    return {
        **usual_sizes(random, head_dim=False),
        "hidden_act": random.choice(["silu", "gelu"]),
        "attention_bias": random.random() < 0.3,
        "use_qk_norm": random.random() < 0.5,
    }


def test_counts_equal_transformers() -> None:
    check_counts("cohere", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("cohere", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("cohere", sample, seed)
