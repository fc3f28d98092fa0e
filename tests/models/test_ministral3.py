"""Ministral 3 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows
from test_families import sample as sample_of


def sample(random: Random) -> dict[str, Any]:
    """Mistral's, with one window for all layers or none, and heads of a width of their own."""
    sizes = {**sample_of("mistral")(random), "head_dim": 2 * random.randint(1, 8)}
    sizes["vocab_size"] = random.randint(12, 300)  # its padding token is the eleventh
    return {key: value for key, value in sizes.items() if key != "layer_types"}


def test_counts_equal_transformers() -> None:
    check_counts("ministral3", sample)


def test_flops_equal_the_trace_as_polynomials() -> None:
    check_flops("ministral3", sample, 1)


def test_the_cache_equals_the_one_that_is_filled() -> None:
    check_cache("ministral3", sample, 0)


@pytest.mark.parametrize("seed", range(3))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("ministral3", sample, seed)
