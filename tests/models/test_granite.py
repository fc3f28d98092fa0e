"""Granite against transformers, on random configurations."""

from random import Random
from typing import Any

from family_proofs import check_cache, check_counts, check_flops
from test_families import sample as sample_of


def sample(random: Random) -> dict[str, Any]:
    """Llama's, heads of a share of the width, with multipliers."""
    sizes = sample_of("llama")(random)
    heads = sizes["num_attention_heads"]
    multipliers = {"embedding_multiplier": 12.0, "residual_multiplier": 0.22, "logits_scaling": 8.0}
    return {**sizes, **multipliers, "hidden_size": heads * 2 * random.randint(1, 8)}


def test_counts_equal_transformers() -> None:
    check_counts("granite", sample)


def test_flops_equal_the_trace_as_polynomials() -> None:
    check_flops("granite", sample, 1)


def test_the_cache_equals_the_one_that_is_filled() -> None:
    check_cache("granite", sample, 0)
