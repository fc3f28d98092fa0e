"""Mistral against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, windows, lists of layers and tying."""
    sizes = usual_sizes(random)
    window = random.choice([None, random.randint(8, 100)])
    kinds = random.choices(["full_attention", "sliding_attention"], k=sizes["num_hidden_layers"])
    return {
        **sizes,
        "hidden_act": random.choice(["silu", "gelu", "relu"]),
        "sliding_window": window,
        **({"layer_types": kinds} if window and random.random() < 0.3 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("mistral", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("mistral", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("mistral", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("mistral", sample, seed)
