"""GPT-NeoX against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops


def sample(random: Random) -> dict[str, Any]:
    """Sizes, side by side or one after the other, biases, tying."""
    h = random.choice([1, 2, 3, 4])
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": h * 8 * random.randint(1, 3),
        "intermediate_size": random.randint(1, 200),
        "num_hidden_layers": random.randint(1, 5),
        "num_attention_heads": h,
        "hidden_act": random.choice(["gelu", "relu"]),
        "use_parallel_residual": random.random() < 0.6,
        "attention_bias": random.random() < 0.6,
        "rotary_pct": random.choice([0.25, 0.5, 1.0]),
        "tie_word_embeddings": random.random() < 0.4,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gpt_neox", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gpt_neox", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gpt_neox", sample, seed)
