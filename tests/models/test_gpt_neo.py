"""GPT-Neo against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, read

from shapeviz.errors import InputError, SizeError
from shapeviz.report import measure


def sample(random: Random) -> dict[str, Any]:
    """Sizes, kinds of layers in turn, widths given or left at their default, tying."""
    h = random.choice([1, 2, 3, 4])
    turns = [
        [random.choices(["global", "local"], k=random.randint(1, 3)), random.randint(1, 2)]
        for _ in range(random.randint(1, 2))
    ]
    return {
        "vocab_size": random.randint(3, 300),
        "max_position_embeddings": random.randint(128, 300),
        "hidden_size": h * random.randint(1, 16),
        "num_layers": sum(len(kinds) * times for kinds, times in turns),
        "attention_types": turns,
        "num_heads": h,
        "intermediate_size": random.choice([None, random.randint(1, 200)]),
        "window_size": random.randint(8, 100),
        "activation_function": random.choice(["gelu_new", "relu"]),
        "tie_word_embeddings": random.random() < 0.7,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("gpt_neo", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("gpt_neo", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("gpt_neo", sample, seed)


def test_a_local_layer_keeps_its_window() -> None:
    model = read({"model_type": "gpt_neo"})
    # keys and values, 2048 wide, two bytes; 12 layers keep 2048 tokens, 12 keep 256
    assert 2 * 2048 * 2 * 12 * (2048 + 256) == measure(model, ["cache"]).total["cache"].value


def test_turns_cost_nothing_to_count() -> None:
    model = read({"model_type": "gpt_neo", "num_layers": 10**9, "attention_types": [[["global", "local"], 5 * 10**8]]})
    assert 500_000_000 == model.sizes.resolve()["N_sliding"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"num_layers": 12}, "makes up 24 layers, num_layers = 12"),
        ({"attention_types": [[["global", "locale"], 12]]}, "local"),
        ({"attention_types": ["global"]}, "a list of kinds"),
        ({"attention_types": [["global", 12]]}, "a list of texts"),
    ],
)
def test_turns_that_make_no_stack_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises((InputError, SizeError), match=told):
        read({"model_type": "gpt_neo", **keys})
