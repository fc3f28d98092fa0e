"""GPT-J against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops


def sample(random: Random) -> dict[str, Any]:
    """Sizes, widths given or left at their default, tying."""
    h = random.choice([1, 2, 3, 4])
    d_k = 2 * random.randint(2, 10)
    return {
        "vocab_size": random.randint(3, 300),
        "n_positions": random.randint(128, 300),
        "n_embd": h * d_k,
        "n_layer": random.randint(1, 5),
        "n_head": h,
        "n_inner": random.choice([None, random.randint(1, 200)]),
        "rotary_dim": random.choice([2, 4]),
        "activation_function": random.choice(["gelu_new", "relu"]),
        "tie_word_embeddings": random.random() < 0.4,
        "num_labels": random.choice([2, random.randint(1, 5)]),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gptj", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gptj", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gptj", sample, seed)
