"""CamemBERT against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_counts, check_flops
from test_families import sample as sample_of

from shapeviz.models.camembert import CLASSES

OTHER = dict(zip(CLASSES, sample_of("roberta").__globals__["CLASSES"], strict=True))


def sample(random: Random, name: str = "") -> dict[str, Any]:
    """RoBERTa's, of a class of this family."""
    name = name or random.choice([*CLASSES])
    return {**sample_of("roberta")(random, OTHER[name]), "architectures": [name]}  # type: ignore[call-arg]


def test_counts_equal_transformers() -> None:
    check_counts("camembert", sample)


@pytest.mark.parametrize("name", [*CLASSES][:2])
def test_flops_equal_the_trace_as_polynomials(name: str) -> None:
    check_flops("camembert", lambda random: sample(random, name), 0)
