"""The JSON Schemas that ship with the package hold for every report and list that the program writes."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import shapeviz
from shapeviz import published

REPORTS = sorted((Path(__file__).parent.parent / "reports").glob("*/report.json"))


def validator(name: str) -> Draft202012Validator:
    schema = json.loads(files("shapeviz.schemas").joinpath(f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def errors(document: Any, name: str = "report") -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]


def printed(*arguments: str) -> Any:
    """The JSON of a command; exit 1 of `diff` says that there are differences."""
    command = [sys.executable, "-m", "shapeviz", *arguments, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_every_report_of_the_gallery_keeps_to_the_schema(path: Path) -> None:
    assert errors(json.loads(path.read_text())) == []


@pytest.mark.parametrize("name", sorted(published.names())[::20])
def test_bundled_models_keep_to_the_schema(name: str) -> None:
    report = shapeviz.measure(shapeviz.read(name))
    assert errors(json.loads(shapeviz.render(report, "json"))) == []


def test_a_traced_module_keeps_to_the_schema() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    report = shapeviz.measure(shapeviz.trace(module, input="float32[B,4]"))
    assert errors(json.loads(shapeviz.render(report, "json"))) == []


@pytest.mark.parametrize("arguments", [("models", "gemma"), ("diff", "llama-2-7b", "llama-3-8b")])
def test_lists_keep_to_the_schema(arguments: tuple[str, ...]) -> None:
    assert errors(printed(*arguments), "list") == []


@pytest.mark.parametrize("key", ["schema", "sizes", "total", "rows"])
def test_the_schema_misses_what_is_left_out(key: str) -> None:
    document = json.loads(REPORTS[0].read_text())
    del document[key]
    assert errors(document)


def test_the_schema_refuses_a_value_that_is_not_exact() -> None:
    document = json.loads(REPORTS[0].read_text())
    document["total"]["params"]["value"] = 1.5
    assert any("total.params.value" in text for text in errors(document))
