"""The bundled models: their figures equal those that were published, and what transformers builds."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from family_proofs import build
from torch import nn

from shapeviz import plugins, published
from shapeviz.errors import InputError
from shapeviz.frontends import from_huggingface
from shapeviz.report import Report, measure

FACTS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "published_facts.json").read_text())
NAMES = published.names()
SCALES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


@cache
def counted(name: str) -> Report:
    """Our counts of the class that a bundled model is about."""
    entry = published.load(name)
    overrides = from_huggingface.Overrides(class_name=entry["class"])
    model = from_huggingface.model(entry["config"], name, entry["source"], overrides)
    return measure(model, ["params", "active", "kv_cache"])


def agrees(text: str, number: int) -> bool:
    """Whether a number, rounded to as many digits as a text such as `7.24B, model card` has, is the text's."""
    found = re.match(r"([\d,]+(?:\.\d+)?)([KMBT]?)", text)
    assert found, text
    digits = found[1].replace(",", "")
    return f"{number / SCALES[found[2]]:.{len(digits.partition('.')[2])}f}" == digits


def transformers_total(entry: dict[str, Any]) -> int:
    """The parameters of the model that transformers, or PyTorch for the paper's, builds without weights."""
    c = entry["config"]
    if c["model_type"] == "vaswani":
        sizes = c["d_model"], c["num_heads"], c["encoder_layers"], c["decoder_layers"], c["d_ff"]
        modules: list[nn.Module] = [
            nn.Transformer(*sizes, device="meta"),
            nn.Embedding(c["vocab_size"], c["d_model"], device="meta"),
        ]
    else:
        modules = [build({**c, "architectures": [entry["class"]]})]
    return sum(weight.numel() for module in modules for weight in module.parameters())


def test_a_name_is_a_file_and_an_unknown_one_is_told_the_nearest() -> None:
    assert {"gpt2", "llama-3-8b", "qwen3-30b-a3b"} <= set(NAMES)
    assert published.load("gpt2")["config"]["model_type"] == "gpt2"
    with pytest.raises(InputError, match="did you mean 'llama-3-8b'"):
        published.load("llama-3-8bb")
    with pytest.raises(InputError):
        published.load("../published/gpt2")


@pytest.mark.parametrize("name", FACTS)
def test_totals_active_and_cache_equal_the_collected_facts(name: str) -> None:
    fact, entry, report = FACTS[name], published.load(name), counted(name)
    assert fact == {key: entry[key] for key in fact}
    assert fact["params"] == report.total["params"].value
    assert fact.get("active", fact["params"]) == report.total["active"].value
    if "kv_cache" in fact:
        assert fact["kv_cache"] == report.total["kv_cache"].value


@pytest.mark.parametrize("name", NAMES)
def test_the_total_equals_the_published_one_to_the_digits_stated(name: str) -> None:
    entry = published.load(name)
    total = ours = counted(name).total["params"].value
    if entry.get("head_stored"):  # the figure counts the head as well, though it is the table of the tokens
        total += entry["config"]["vocab_size"] * entry["config"]["hidden_size"]
    assert agrees(entry["stated"], total)
    assert entry.get("params", ours) == ours


@pytest.mark.parametrize("name", NAMES)
def test_the_total_equals_transformers(name: str) -> None:
    assert transformers_total(published.load(name)) == counted(name).total["params"].value


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_where_it_is_from_and_what_is_counted(name: str) -> None:
    entry = published.load(name)
    assert set(entry) <= {"source", "class", "params", "stated", "active", "kv_cache", "head_stored", "config"}
    assert re.match(r"huggingface\.co/[\w.-]+/[\w.-]+|arXiv:", entry["source"])
    assert name == name.lower()
    assert "params" not in entry or entry["stated"].startswith(f"{entry['params']:,}, ")
    family = plugins.load("shapeviz.models", entry["config"]["model_type"])
    assert {entry["class"], *entry["config"].get("architectures", [])} <= set(family.CLASSES)


def test_figures_are_compared_to_the_digits_that_are_stated() -> None:
    assert agrees("7.24B, model card", 7241732096)
    assert not agrees("7.25B, model card", 7241732096)
    assert agrees("619,570,176, the hub", 619570176)
    assert not agrees("619,570,177, the hub", 619570176)
