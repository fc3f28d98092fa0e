"""Qwen2 with experts against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, check_windows, read, usual_sizes

from shapeviz.errors import SizeError
from shapeviz.models import qwen2_moe
from shapeviz.models._sparse import kinds


def sample(random: Random) -> dict[str, Any]:
    """Sizes, grouped heads, biases, experts and which layers have them, which have windows, and tying."""
    sizes, experts = usual_sizes(random), random.randint(1, 6)
    depth, windows = sizes["num_hidden_layers"], random.random() < 0.5
    kinds = ["full_attention", "sliding_attention"] if windows else ["full_attention"]
    return {
        **sizes,
        "num_experts": experts if random.random() < 0.9 else 0,
        "num_experts_per_tok": random.randint(1, experts),
        "moe_intermediate_size": random.randint(1, 100),
        "shared_expert_intermediate_size": random.randint(1, 100),
        "decoder_sparse_step": random.choice([1, 1, 2, 3]),
        "mlp_only_layers": random.choice([None, [], random.sample(range(depth + 2), 2)]),
        "norm_topk_prob": random.random() < 0.5,
        "qkv_bias": random.random() < 0.7,
        "use_sliding_window": windows,
        "sliding_window": random.randint(8, 100),
        "max_window_layers": random.randint(0, depth + 2),
        **({"layer_types": random.choices(kinds, k=depth)} if random.random() < 0.4 else {}),
    }


def test_counts_equal_transformers() -> None:
    check_counts("qwen2_moe", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("qwen2_moe", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("qwen2_moe", sample, seed)


@pytest.mark.parametrize("seed", range(30))
def test_layers_have_the_windows_of_transformers(seed: int) -> None:
    check_windows("qwen2_moe", sample, seed)


def test_a_sliding_window_without_a_width_is_an_error() -> None:
    with pytest.raises(SizeError, match="some layers have a sliding window"):
        read({"model_type": "qwen2_moe", "num_hidden_layers": 1, "layer_types": ["sliding_attention"]})


@pytest.mark.parametrize("seed", range(200))
def test_rules_count_the_layers_that_a_list_would(seed: int) -> None:
    random = Random(seed)
    depth = random.randint(1, 30)
    keys: dict[str, Any] = {
        "num_hidden_layers": depth,
        "use_sliding_window": random.random() < 0.7,
        "max_window_layers": random.randint(0, depth + 5),
        "decoder_sparse_step": random.randint(1, 5),
        "mlp_only_layers": tuple(random.choices(range(depth + 5), k=random.randint(0, 6))),
    }
    windows = keys["max_window_layers"] if keys["use_sliding_window"] else 0
    listed = tuple("sliding_attention" if i % 2 == 0 and i < windows else "full_attention" for i in range(depth))
    ruled, counted = (kinds(qwen2_moe.Config(**keys, layer_types=types)) for types in (None, listed))
    assert {kind: n for kind, rule in ruled.items() if (n := rule.at(N=depth))} == {
        kind: number.at(N=depth) for kind, number in counted.items()
    }
