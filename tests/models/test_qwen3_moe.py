"""Qwen3 with experts against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, biases, experts and which layers have them, windows and tying."""
    sizes, experts = usual_sizes(random), random.randint(1, 6)
    return {
        **sizes,
        "num_experts": experts if random.random() < 0.9 else 0,
        "num_experts_per_tok": random.randint(1, experts),
        "moe_intermediate_size": random.randint(1, 100),
        "decoder_sparse_step": random.choice([1, 1, 2, 3]),
        "mlp_only_layers": random.choice([None, [], random.sample(range(sizes["num_hidden_layers"] + 2), 2)]),
        "norm_topk_prob": random.random() < 0.5,
        "attention_bias": random.random() < 0.3,
        "use_sliding_window": random.random() < 0.3,
        "sliding_window": random.choice([None, 64]),
    }


def test_counts_equal_transformers() -> None:
    check_counts("qwen3_moe", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("qwen3_moe", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("qwen3_moe", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("qwen3_moe", sample, seed)
