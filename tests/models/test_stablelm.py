"""StableLM against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, biases, norms of queries and keys, sublayers side by side or not, tying."""
    sizes = usual_sizes(random, head_dim=False)
    return {
        **sizes,
        "hidden_size": sizes["num_attention_heads"] * 8 * random.randint(1, 3),
        "hidden_act": random.choice(["silu", "gelu"]),
        "partial_rotary_factor": random.choice([0.25, 0.5, 1.0]),
        "use_qkv_bias": random.random() < 0.4,
        "qk_layernorm": random.random() < 0.4,
        "use_parallel_residual": random.random() < 0.4,
    }


def test_counts_equal_transformers() -> None:
    check_counts("stablelm", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("stablelm", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("stablelm", sample, seed)
