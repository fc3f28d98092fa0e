"""BERT against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_counts, check_flops

from shapeviz.models.bert import CLASSES


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """Sizes, token types, tying and every class; answers have a start and an end."""
    h = random.choice([1, 2, 3, 4])
    name = name or random.choice(["BertModel", *CLASSES])
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": h * random.randint(1, 16),
        "num_hidden_layers": random.randint(1, 5),
        "num_attention_heads": h,
        "intermediate_size": random.randint(1, 200),
        "hidden_act": random.choice(["gelu", "relu", "gelu_new"]),
        "max_position_embeddings": random.randint(128, 300),
        "type_vocab_size": random.randint(1, 4),
        "tie_word_embeddings": random.random() < 0.7,
        "num_labels": 2 if CLASSES[name] == "questions" else random.randint(1, 5),
        "architectures": [name],
    }


def test_counts_equal_transformers() -> None:
    check_counts("bert", sample)


@pytest.mark.parametrize("name", CLASSES)
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    shape = "int64[B,1,S]" if name.endswith("MultipleChoice") else "int64[B,S]"
    check_flops("bert", lambda random: sample(random, name), 0, {"input_ids": shape})
