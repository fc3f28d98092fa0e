"""Gemma against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, read, usual_sizes

from shapeviz.report import measure


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, biases and tying."""
    return {
        **usual_sizes(random),
        "head_dim": 2 * random.randint(1, 8),
        "attention_bias": random.random() < 0.3,
        "hidden_act": random.choice(["gelu_pytorch_tanh", "gelu", "silu"]),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gemma", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gemma", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gemma", sample, seed)


def test_a_model_whose_tokens_see_later_ones_keeps_none() -> None:
    assert 0 == measure(read({"model_type": "gemma", "use_bidirectional_attention": True})).total["kv_cache"].value


def test_the_activation_of_the_first_releases_may_be_null() -> None:
    released = {"model_type": "gemma", "hidden_act": None, "hidden_activation": None}
    assert 8_537_680_896 == measure(read(released)).total["params"].value
