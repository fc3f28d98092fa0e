"""DeepSeek-V2 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, read

from shapeviz.errors import SizeError


def sample(random: Random) -> dict[str, Any]:
    """Sizes, latents, biases, experts, which layers have them, and tying."""
    experts, heads, depth = random.randint(1, 6), random.randint(1, 6), random.randint(1, 5)
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": heads * random.randint(1, 20),
        "intermediate_size": random.randint(1, 200),
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": random.choice([None, heads]),
        "attention_bias": random.random() < 0.3,
        "mlp_bias": random.random() < 0.3,
        "first_k_dense_replace": random.randint(0, depth + 1),
        "kv_lora_rank": 2 * random.randint(1, 25),  # even, as the rotary code of transformers needs it
        "q_lora_rank": random.choice([None, random.randint(1, 50)]),
        "qk_nope_head_dim": 2 * random.randint(1, 10),
        "qk_rope_head_dim": 2 * random.randint(1, 8),
        "v_head_dim": random.randint(1, 20),
        "n_routed_experts": experts,
        "n_shared_experts": random.randint(0, 3),
        "num_experts_per_tok": random.randint(1, experts),
        "moe_intermediate_size": random.randint(1, 100),
        "tie_word_embeddings": random.random() < 0.5,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("deepseek_v2", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("deepseek_v2", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("deepseek_v2", sample, seed)


def test_how_many_experts_a_token_meets_has_no_default() -> None:
    with pytest.raises(SizeError, match="num_experts_per_tok is needed"):
        read({"model_type": "deepseek_v2"})
    assert read({"model_type": "deepseek_v2", "first_k_dense_replace": 32})  # where no layer has experts
