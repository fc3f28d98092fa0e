"""BLOOM against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops


def sample(random: Random) -> dict[str, Any]:
    """Sizes and tying."""
    h = random.choice([1, 2, 3, 4])
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": h * random.randint(1, 16),
        "n_layer": random.randint(1, 5),
        "n_head": h,
        "tie_word_embeddings": random.random() < 0.6,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("bloom", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("bloom", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("bloom", sample, seed)
