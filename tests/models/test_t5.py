"""T5 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
import torch
from family_proofs import build, check_counts, check_flops, drawn, read

import shapeviz
from shapeviz.models.t5 import CLASSES
from shapeviz.report import measure

NAMES = [name for name in CLASSES if name != "T5WithLMHeadModel"]  # an older name, which transformers no longer has
TRACED = [name for name in NAMES if CLASSES[name] != "sequence"]  # which token is the last depends on the data


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """Sizes, two depths, plain and gated networks, tying and every class."""
    name = name or random.choice(NAMES)
    return {
        "vocab_size": random.randint(3, 300),
        "d_model": random.randint(1, 60),
        "d_kv": random.randint(1, 16),
        "d_ff": random.randint(1, 200),
        "num_layers": random.randint(1, 4),
        "num_decoder_layers": random.choice([None, random.randint(1, 4)]),
        "num_heads": random.randint(1, 5),
        "relative_attention_num_buckets": random.choice([8, 16, 32]),
        "feed_forward_proj": random.choice(["relu", "gated-gelu", "gated-silu", "gelu"]),
        "tie_word_embeddings": random.random() < 0.5,
        "num_labels": 2 if CLASSES[name] == "questions" else random.randint(1, 5),
        "architectures": [name],
    }


def test_counts_equal_transformers() -> None:
    check_counts("t5", sample)


@pytest.mark.parametrize("name", TRACED)
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    target = {} if CLASSES[name] in ("encoder", "token") else {"decoder_input_ids": "int64[B,T]"}
    check_flops("t5", lambda random: sample(random, name), 0, {"input_ids": "int64[B,S]", **target})


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_grows_with_the_target_and_holds_the_source_once(seed: int) -> None:
    data = drawn("t5", lambda random: sample(random, NAMES[0]), seed, left_out=0)
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


def test_version_1_1_has_a_head_of_its_own() -> None:
    sizes = {"d_model": 768, "num_heads": 12, "num_layers": 12, "feed_forward_proj": "gated-gelu"}
    untied = read({"model_type": "t5", **sizes, "tie_word_embeddings": False})
    assert 247_577_856 == measure(untied, ["params"]).total["params"].value
    # without the head's 32128·768
    assert 222_903_552 == measure(read({"model_type": "t5", **sizes}), ["params"]).total["params"].value


# 512 wide, 6 layers, 8 heads of 64, 2048 hidden, 32 buckets, as T5-small
TABLE, ENCODER_LAYER = 32128 * 512, 4 * 512 * 512 + 2 * 512 * 2048 + 2 * 512
ENCODER = TABLE + 6 * ENCODER_LAYER + 32 * 8 + 512
DECODER = 6 * (ENCODER_LAYER + 4 * 512 * 512 + 512) + 32 * 8 + 512  # its table is the encoder's, and so is the head's


@pytest.mark.parametrize(
    ("named", "head", "built", "params"),
    [("T5EncoderModel", None, "T5EncoderModel", ENCODER), ("T5EncoderModel", False, "T5EncoderModel", ENCODER),
     ("T5EncoderModel", True, "T5ForConditionalGeneration", ENCODER + DECODER),
     ("T5ForConditionalGeneration", False, "T5Model", ENCODER + DECODER),
     ("T5ForTokenClassification", False, "T5EncoderModel", ENCODER), ("T5Model", False, "T5Model", ENCODER + DECODER),
     ("T5Model", True, "T5ForConditionalGeneration", ENCODER + DECODER)],
)  # fmt: skip
def test_a_head_and_none_leave_the_stacks_of_the_class(named: str, head: bool | None, built: str, params: int) -> None:
    model = shapeviz.read({"model_type": "t5", "architectures": [named]}, head=head)
    assert model.origin is not None
    assert built == model.origin.class_name
    assert params == shapeviz.measure(model, ["params"]).total["params"].value
