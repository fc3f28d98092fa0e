"""GLM-4 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, biases and tying."""
    return {
        **usual_sizes(random),
        "head_dim": 4 * random.randint(1, 6),
        "pad_token_id": 0,
        "hidden_act": random.choice(["silu", "gelu"]),
        "partial_rotary_factor": random.choice([0.5, 1.0]),
        "attention_bias": random.random() < 0.5,
    }


def test_counts_equal_transformers() -> None:
    check_counts("glm4", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("glm4", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("glm4", sample, seed)
