"""Phi-3 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, windows, partly turned heads and tying."""
    sizes = usual_sizes(random)
    d_k = sizes.get("head_dim", sizes["hidden_size"] // sizes["num_attention_heads"])
    return {
        **sizes,
        "pad_token_id": 0,  # the default is beyond a small vocabulary
        "hidden_act": random.choice(["silu", "gelu", "relu"]),
        "sliding_window": random.choice([None, random.randint(8, 100)]),
        **({"partial_rotary_factor": 0.5} if d_k % 4 == 0 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("phi3", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("phi3", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("phi3", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("phi3", sample, seed)
