"""StarCoder2 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, windows, biases and tying."""
    return {
        **usual_sizes(random, head_dim=False),
        "hidden_act": random.choice(["gelu_pytorch_tanh", "relu"]),
        "sliding_window": random.choice([None, 64]),
        "use_bias": random.random() < 0.6,
    }


def test_counts_equal_transformers() -> None:
    check_counts("starcoder2", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("starcoder2", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("starcoder2", sample, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_window_keeps_as_much_as_it_does_there(seed: int) -> None:
    check_windows("starcoder2", sample, seed)
