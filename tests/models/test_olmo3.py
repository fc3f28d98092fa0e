"""OLMo 3 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows
from test_families import sample as sample_of


def sample(random: Random) -> dict[str, Any]:
    """OLMo 2's, with windows and lists of layers."""
    sizes = sample_of("olmo2")(random)
    kinds = random.choices(["full_attention", "sliding_attention"], k=sizes["num_hidden_layers"])
    lists = {"layer_types": kinds} if random.random() < 0.3 else {}
    return {**sizes, "num_hidden_layers": len(kinds), "sliding_window": random.randint(8, 100), **lists}


def test_counts_equal_transformers() -> None:
    check_counts("olmo3", sample)


def test_flops_equal_the_trace_as_polynomials() -> None:
    check_flops("olmo3", sample, 1)


def test_the_cache_equals_the_one_that_is_filled() -> None:
    check_cache("olmo3", sample, 0)


@pytest.mark.parametrize("seed", range(6))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("olmo3", sample, seed)
