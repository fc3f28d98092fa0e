"""mT5 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_counts, check_flops, read
from test_families import sample as sample_of

from shapeviz.models.mt5 import CLASSES
from shapeviz.report import measure


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """T5's, of a class of this family."""
    name = name or random.choice([*CLASSES])
    theirs = name.replace("MT5", "T5")
    return {**sample_of("t5")(random, theirs), "architectures": [name]}  # type: ignore[call-arg]


def test_counts_equal_transformers() -> None:
    check_counts("mt5", sample)


@pytest.mark.parametrize("name", ["MT5ForConditionalGeneration", "MT5EncoderModel"])
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    target = {"decoder_input_ids": "int64[B,T]"} if name.endswith("Generation") else {}
    check_flops("mt5", lambda random: sample(random, name), 0, {"input_ids": "int64[B,S]", **target})


def test_the_published_small_model_has_its_parameters() -> None:
    # google/mt5-small's own keys; 300 M in Xue et al. 2021, table 1
    report = measure(read({"model_type": "mt5", "tie_word_embeddings": False}), ["params"])
    assert 300_176_768 == report.total["params"].value
