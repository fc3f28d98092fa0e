"""Qwen2 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, read, usual_sizes


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, head sizes, windows from some layer on, lists of layers and tying."""
    sizes = usual_sizes(random)
    kinds = random.choices(["full_attention", "sliding_attention"], k=sizes["num_hidden_layers"])
    windows = random.random() < 0.6
    return {
        **sizes,
        "hidden_act": random.choice(["silu", "gelu", "relu"]),
        "use_sliding_window": windows,
        "sliding_window": random.choice([None, random.randint(8, 100)]) if not windows else random.randint(8, 100),
        "max_window_layers": random.randint(0, 6),
        **({"layer_types": kinds} if windows and random.random() < 0.4 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("qwen2", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("qwen2", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("qwen2", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("qwen2", sample, seed)


def test_windows_are_a_rule_at_any_depth() -> None:
    sizes = read({"model_type": "qwen2", "use_sliding_window": True, "num_hidden_layers": 10**9}).sizes
    assert {"N_full": 28, "N_sliding": 10**9 - 28}.items() <= sizes.numbers.items()
    assert {"N_full": 20, "N_sliding": 0}.items() <= sizes.resolve(N=20).items()
