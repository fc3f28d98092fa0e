"""Falcon against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, read

from shapeviz.errors import SizeError
from shapeviz.report import measure

FALCON_40B = {"hidden_size": 8192, "num_attention_heads": 128, "num_hidden_layers": 60, "vocab_size": 65024}


def sample(random: Random) -> dict[str, Any]:
    """Sizes, both architectures, heads of keys and values, norms, positions, biases, tying."""
    g, groups = random.choice([1, 2, 3]), random.choice([1, 2, 4])
    new, several, parallel = (random.random() < chance for chance in (0.5, 0.4, 0.7))
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": g * groups * 2 * random.randint(1, 8),
        "num_hidden_layers": random.randint(1, 5),
        "num_attention_heads": g * groups,
        "num_kv_heads": random.choice([None, g]) if new else random.choice([None, g * groups]),
        "ffn_hidden_size": random.choice([None, random.randint(1, 200)]),
        "num_ln_in_parallel_attn": random.choice([None, 1, 2]) if new else random.choice([None, 1]),
        "new_decoder_architecture": new,
        "multi_query": not several,
        "parallel_attn": new or parallel,
        "alibi": random.random() < 0.3,
        "bias": random.random() < 0.4,
        "activation": random.choice(["gelu", "relu"]),
        "tie_word_embeddings": random.random() < 0.6,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("falcon", sample)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("falcon", sample, seed)


def repeats_nothing(random: Random) -> dict[str, Any]:
    """A sample of the first architecture: in the new one transformers keeps keys repeated for every head."""
    while (data := sample(random))["new_decoder_architecture"]:
        pass
    return data


@pytest.mark.parametrize("seed", range(4))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("falcon", repeats_nothing, seed)


def test_the_new_architecture_keeps_as_many_heads_as_it_has_keys() -> None:
    model = read({"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 8, **FALCON_40B})
    # keys and values, 60 layers, 8 heads of 64, two bytes: 2·60·8·64·2 = 122_880
    assert 122_880 == measure(model, ["kv_cache"]).total["kv_cache"].value


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"new_decoder_architecture": True, "parallel_attn": False}, "true is needed"),
        ({"multi_query": False, "num_kv_heads": 1}, "it is num_attention_heads = 71"),
        ({"num_ln_in_parallel_attn": 2}, "one norm without new_decoder_architecture"),
        ({"new_decoder_architecture": True, "num_ln_in_parallel_attn": 3}, "one norm or two"),
        ({"new_decoder_architecture": True, "num_kv_heads": 8}, "nearest: num_kv_heads 1"),
    ],
)
def test_what_no_layer_is_built_like_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(SizeError, match=told):
        read({"model_type": "falcon", **keys})


def test_a_number_of_heads_that_is_not_read_is_told() -> None:
    assert "num_kv_heads = 4 is not read" in " ".join(read({"model_type": "falcon", "num_kv_heads": 4}).notes)
