"""`memory` where PyTorch or transformers is not installed: the formulas answer, and what counted is said."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from typer.testing import CliRunner

from shapeviz.cli import memory
from shapeviz.cli._app import app

SIZES = ["--enc", "2", "--dec", "0", "--d-model", "64", "--heads", "4", "--ff", "96", "--seq", "32"]
GPT2 = ["gpt2", "--seq", "16"]


@pytest.mark.parametrize(
    ("absent", "arguments", "kernels"),
    [
        (("torch",), SIZES, "eager"),
        (("transformers",), GPT2, "flash"),
        (("torch", "transformers"), GPT2, "flash"),
    ],
)
def test_the_formulas_answer_for_what_is_not_installed(
    absent: tuple[str, ...], arguments: list[str], kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str, *rest: Any) -> object:
        return None if name in absent else importlib.util.find_spec(name, *rest)

    monkeypatch.setattr(memory, "find_spec", find)
    runner = CliRunner()
    without = runner.invoke(app, ["memory", *arguments, "--json"])
    asked = runner.invoke(app, ["memory", *arguments, "--kernels", kernels, "--json"])
    assert 0 == without.exit_code == asked.exit_code
    assert asked.stdout == without.stdout
    assert f"{' and '.join(absent)} not installed (pip install {' '.join(absent)})" in without.stderr
