"""UMT5 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_counts, check_flops
from test_families import sample as sample_of

from shapeviz.models.umt5 import CLASSES


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """T5's, of a class of this family."""
    name = name or random.choice([*CLASSES])
    theirs = name.replace("UMT5", "T5")
    return {**sample_of("t5")(random, theirs), "architectures": [name]}  # type: ignore[call-arg]


def test_counts_equal_transformers() -> None:
    check_counts("umt5", sample)


@pytest.mark.parametrize("name", ["UMT5ForConditionalGeneration", "UMT5EncoderModel"])
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    target = {"decoder_input_ids": "int64[B,T]"} if name.endswith("Generation") else {}
    check_flops("umt5", lambda random: sample(random, name), 0, {"input_ids": "int64[B,S]", **target})
