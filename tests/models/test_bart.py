"""BART against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
import torch
from family_proofs import build, check_counts, check_flops, drawn, read

from shapeviz.errors import SizeError
from shapeviz.models.bart import CLASSES
from shapeviz.report import measure

NAMES = list(CLASSES)
TRACED = [name for name in NAMES if CLASSES[name] != "sequence"]  # which token is the last depends on the data


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """Sizes, of encoder and decoder alike or not, tying and every class."""
    heads, alike = [random.choice([1, 2, 3, 4]) for _ in range(2)], random.random() < 0.5
    widths = [random.randint(1, 200) for _ in range(2)]
    return {
        "vocab_size": random.randint(3, 300),
        "max_position_embeddings": random.randint(128, 300),
        "d_model": 12 * random.randint(1, 5),
        "encoder_layers": random.randint(1, 4),
        "decoder_layers": random.randint(1, 4),
        "encoder_attention_heads": heads[0],
        "decoder_attention_heads": heads[0 if alike else 1],
        "encoder_ffn_dim": widths[0],
        "decoder_ffn_dim": widths[0 if alike else 1],
        "activation_function": random.choice(["gelu", "relu"]),
        "scale_embedding": random.random() < 0.3,
        "tie_word_embeddings": random.random() < 0.7,
        **({"num_labels": random.randint(1, 5)} if random.random() < 0.7 else {}),
        "architectures": [name or random.choice(NAMES)],
    }


def test_counts_equal_transformers() -> None:
    check_counts("bart", sample)


@pytest.mark.parametrize("name", TRACED)
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    inputs = {"input_ids": "int64[B,S]", "decoder_input_ids": "int64[B,T]"}
    check_flops("bart", lambda random: sample(random, name), 0, inputs)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_grows_with_the_target_and_holds_the_source_once(seed: int) -> None:
    data = drawn("bart", lambda random: sample(random, NAMES[0]), seed, left_out=0)
    module, source, target = build(data, "cpu"), 7, 5
    ids = {"input_ids": torch.zeros(1, source, dtype=torch.int64)}
    with torch.no_grad():
        cache = module(**ids, decoder_input_ids=torch.zeros(1, target, dtype=torch.int64)).past_key_values
    own, cross = (
        2 * sum(layer.keys.numel() + layer.values.numel() for layer in part.layers)
        for part in (cache.self_attention_cache, cache.cross_attention_cache)
    )
    report = measure(read(data), ["kv_cache", "cache"])
    assert own == target * report.total["kv_cache"].value
    assert own + cross == report.total["cache"].at(B=1, S=source, T=target)


def test_a_longer_target_than_there_are_positions_is_an_error() -> None:
    model = read({"model_type": "bart", "max_position_embeddings": 64})
    assert 64 == model.sizes.resolve(T=64)["T"]
    with pytest.raises(SizeError, match="T ≤ 64 is needed"):
        model.sizes.resolve(T=65)
