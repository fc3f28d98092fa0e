"""Gemma 3 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, read, usual_sizes

from shapeviz.report import measure


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, biases, patterns and lists of layers, and tying."""
    sizes = usual_sizes(random)
    kinds = random.choices(["full_attention", "sliding_attention"], k=sizes["num_hidden_layers"])
    return {
        **sizes,
        "head_dim": 2 * random.randint(1, 8),
        "attention_bias": random.random() < 0.3,
        "hidden_activation": random.choice(["gelu_pytorch_tanh", "silu"]),
        "sliding_window": random.randint(8, 100),
        "sliding_window_pattern": random.randint(1, 6),
        **({"layer_types": kinds} if random.random() < 0.4 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gemma3_text", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gemma3_text", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gemma3_text", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("gemma3_text", sample, seed)


def test_a_model_whose_tokens_see_later_ones_keeps_none() -> None:
    data = {"model_type": "gemma3_text", "use_bidirectional_attention": True}
    assert 0 == measure(read(data)).total["kv_cache"].value


def test_the_pattern_is_a_rule_at_any_depth() -> None:
    sizes = read({"model_type": "gemma3_text", "num_hidden_layers": 10**9}).sizes
    assert {"N_full": 10**9 // 6, "N_sliding": 10**9 - 10**9 // 6}.items() <= sizes.numbers.items()
    assert {"N_full": 2, "N_sliding": 11}.items() <= sizes.resolve(N=13).items()
