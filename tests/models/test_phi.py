"""Phi against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, norms of queries and keys, tying."""
    sizes = usual_sizes(random, head_dim=False)
    d_k = 4 * random.randint(1, 6)
    return {
        **sizes,
        "hidden_size": sizes["num_attention_heads"] * d_k,
        "hidden_act": random.choice(["gelu_new", "relu"]),
        "partial_rotary_factor": random.choice([0.5, 1.0]),
        "qk_layernorm": random.random() < 0.4,
    }


def test_counts_equal_transformers() -> None:
    check_counts("phi", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("phi", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("phi", sample, seed)
