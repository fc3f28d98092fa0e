"""gpt-oss against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, read, usual_sizes

from shapeviz.errors import SizeError


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, biases, experts, lists of layers and tying."""
    sizes, experts = usual_sizes(random), random.randint(1, 6)
    kinds = random.choices(["full_attention", "sliding_attention"], k=sizes["num_hidden_layers"])
    return {
        **sizes,
        "head_dim": 2 * random.randint(1, 8),
        "num_local_experts": experts,
        "num_experts_per_tok": random.randint(1, experts),
        "attention_bias": random.random() < 0.7,
        "sliding_window": random.randint(8, 100),
        **({"layer_types": kinds} if random.random() < 0.4 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gpt_oss", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gpt_oss", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gpt_oss", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("gpt_oss", sample, seed)


def test_a_sliding_window_without_a_width_is_an_error() -> None:
    with pytest.raises(SizeError, match="some layers have a sliding window"):
        read({"model_type": "gpt_oss", "sliding_window": None})
