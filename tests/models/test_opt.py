"""OPT against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops


def sample(random: Random) -> dict[str, Any]:
    """Sizes, tokens narrower or wider than the model, norms before or after, with weights or without, biases, tying."""
    h = random.choice([1, 2, 3, 4])
    width = h * random.randint(1, 16)
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": width,
        "num_hidden_layers": random.randint(1, 5),
        "ffn_dim": random.randint(1, 200),
        "num_attention_heads": h,
        "activation_function": random.choice(["relu", "gelu"]),
        "max_position_embeddings": random.randint(128, 300),
        "word_embed_proj_dim": random.choice([None, width, random.randint(1, 60)]),
        "do_layer_norm_before": random.random() < 0.6,
        "_remove_final_layer_norm": random.random() < 0.2,
        "enable_bias": random.random() < 0.6,
        "layer_norm_elementwise_affine": random.random() < 0.6,
        "tie_word_embeddings": random.random() < 0.6,
        "num_labels": random.randint(1, 5),
        "pad_token_id": 1,
    }


def test_counts_equal_transformers() -> None:
    check_counts("opt", sample)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("opt", sample, seed)


@pytest.mark.parametrize("seed", range(4))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("opt", sample, seed)
