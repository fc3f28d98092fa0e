"""The contracts of the command line: verbs, formats, exit codes, and the JSON that other programs rely on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sympy import Symbol, sympify
from typer.testing import CliRunner, Result

from shapeviz.cli._app import app

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
VERBS = ["trace", "params", "flops", "explain"]
CONFIGURATIONS = [
    "",
    "--enc 0 --dec 3",
    "--enc 4 --dec 0 --tgt-seq 9",
    "--heads 8 --kv-heads 2 --d-model 64",
    "--heads 8 --kv-heads 1 --d-k 16 --d-v 24",
    "--gated --ff 100 --no-bias --norm rms",
    "--ff 7,11,13 --norm-position pre",
    "--vocab 29 --no-tie --positions learned",
    "--vocab 29 --tie --positions learned --max-len 5000 --tgt-seq 17",
    "--positions rotary --d-model 96 --heads 6",
    "--positions none --batch 1 --seq 1",
    "--seq 5 --tgt-seq 7 --vocab 3",
    "--dec 0 --vocab 11 --positions learned",
    "--enc 0 --vocab 11 --no-bias --gated --ff 8,8",
    "--d-model 1000000000000000000000000000000 --heads 1 --vocab 123456789012345678901",
]
FIRST_SHAPES = [  # of the encoder: what an analysis by hand writes down, in its order
    "(32, 4096)",
    "(32, 4096, 1024)",
    *["(32, 4096, 768)"] * 3,
    *["(32, 6, 4096, 128)"] * 3,
    "(32, 6, 4096, 4096)",
    "(32, 6, 4096, 128)",
    "(32, 4096, 768)",
    "(32, 4096, 1024)",
    "(32, 4096, 512)",
    "(32, 4096, 512)",
    "(32, 4096, 1024)",
]


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def data(line: str) -> dict[str, Any]:
    result = invoke("params", *line.split(), "--json")
    assert 0 == result.exit_code, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def pairs(node: Any) -> Iterator[dict[str, Any]]:
    """Every {"formula", "value"} anywhere."""
    if isinstance(node, dict):
        if node.keys() == {"formula", "value"}:
            yield node
        for child in node.values():
            yield from pairs(child)
    elif isinstance(node, list):
        for child in node:
            yield from pairs(child)


@pytest.mark.parametrize("line", CONFIGURATIONS)
def test_every_formula_in_the_json_gives_its_value_by_sympy(line: str) -> None:
    found = data(line)
    symbols = {name: Symbol(name) for name in found["sizes"]}
    numbers = {symbols[name]: value for name, value in found["sizes"].items()}
    distinct = {(pair["formula"], pair["value"]) for pair in pairs(found)}
    assert distinct
    for formula, value in distinct:
        assert sympify(formula, locals=symbols).subs(numbers) == value, formula


@pytest.mark.parametrize("line", CONFIGURATIONS)
def test_outermost_rows_times_their_copies_add_up_to_the_total(line: str) -> None:
    found = data(line)
    outer = [row for row in found["rows"] if "." not in row["path"]]
    assert found["total"]["params"]["value"] == sum(r["params"]["value"] * r["copies"]["value"] for r in outer)
    assert found["total"]["flops"]["value"] == sum(r["flops"]["value"] * r["repeat"]["value"] for r in outer)


def test_the_default_model_has_the_figures_worked_out_by_hand() -> None:
    found = data("")
    of = {row["path"]: row["params"]["value"] for row in found["rows"]}
    # 6·3·(1024·128 + 128) + 768·1024 + 1024 = 3_149_056;  feed-forward 524_800 + 262_656 + 525_312 = 1_312_768
    assert 4_465_920 == of["encoder.layer"] == 3_149_056 + 1_312_768 + 2 * 2048
    assert 7_617_024 == of["decoder.layer"] == 2 * 3_149_056 + 1_312_768 + 3 * 2048
    assert 87_731_712 == found["total"]["params"]["value"] == 6 * 4_465_920 + 8 * 7_617_024


def test_json_has_the_documented_form() -> None:
    found = data("")
    assert "shapeviz/1" == found["schema"]
    assert {"name", "source"} <= found["model"].keys()
    assert found["conventions"]["flops"].startswith("2 per multiply-add")
    assert {"B": 32, "S": 4096, "d_model": 1024}.items() <= found["sizes"].items()
    row = next(row for row in found["rows"] if row["path"] == "encoder.layer.self_attention")
    assert "multi_head" == row["block"]
    assert {"dims": ["B", "S", "d_model"], "value": [32, 4096, 1024]} == row["output"]
    assert {"equation", "depth", "repeat", "copies", "params", "flops"} <= row.keys()
    assert 6 == row["repeat"]["value"] == row["copies"]["value"]


def test_a_piped_trace_shows_every_shape_of_the_analysis_in_order() -> None:
    lines = iter(invoke("trace", "--batch", "32", "--seq", "4096").stdout.splitlines())
    for shape in FIRST_SHAPES:
        assert any(shape in line for line in lines), shape


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("format", ["table", "md", "json", "csv", "dot"])
def test_every_verb_writes_every_format_and_nothing_else(verb: str, format: str) -> None:
    result = invoke(verb, "-f", format)
    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.strip()
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_figures_are_drawn(format: str, start: bytes, tmp_path: Path) -> None:
    if not shutil.which("dot") and "CI" not in os.environ:
        pytest.skip("Graphviz is not installed: no `dot` program")
    path = tmp_path / f"figure.{format}"
    assert 0 == invoke("trace", "-o", str(path)).exit_code
    assert path.read_bytes().startswith(start)


def test_o_is_repeatable_and_leaves_standard_output_empty(tmp_path: Path) -> None:
    result = invoke("params", "-o", str(tmp_path / "a.md"), "-o", str(tmp_path / "a.json"))
    assert (0, "") == (result.exit_code, result.stdout)
    assert ["a.json", "a.md"] == sorted(path.name for path in tmp_path.iterdir())
    assert data("") == json.loads((tmp_path / "a.json").read_text())


def test_json_is_the_format_json() -> None:
    assert invoke("params", "-f", "json").stdout == invoke("params", "--json").stdout


def test_flags_beat_the_file_and_the_file_beats_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("enc = 3\nbatch = 5\n")
    sizes = data(f"{path} --batch 7")["sizes"]
    assert (3, 7, 8) == (sizes["N_enc"], sizes["B"], sizes["N_dec"])


def test_sizes_that_follow_from_others_are_shown() -> None:
    shown = invoke("params", "--d-model", "512", "--heads", "8").stdout
    assert "d_k = d_model/h" in shown.replace(" / ", "/")
    assert "d_k = 64" in shown  # 512 / 8


@pytest.mark.parametrize(
    "flags",
    ["--enc 2", "--dec 2", "--d-model 60", "--heads 4", "--kv-heads 2", "--d-k 8", "--d-v 8", "--ff 9", "--norm rms",
     "--norm-position pre", "--vocab 5", "--positions learned", "--batch 2", "--seq 2", "--tgt-seq 2", "--gated",
     "--no-bias"],
)  # fmt: skip
def test_every_flag_changes_the_costs(flags: str) -> None:
    def costs(line: str) -> list[dict[str, Any]]:
        return list(pairs(data(line)))

    assert costs("") != costs(flags)


def test_untied_tables_and_a_longer_table_of_positions_cost_more() -> None:
    def params(line: str) -> int:
        return int(data(line)["total"]["params"]["value"])

    # two more tables, source and target embedding and head each their own: 2 · 5 · 1024
    assert 2 * 5 * 1024 == params("--vocab 5 --no-tie") - params("--vocab 5")
    # one more row in the encoder and one in the decoder: 2 · 1024
    assert 2 * 1024 == params("--positions learned --max-len 4097") - params("--positions learned")


def test_the_program_starts_in_a_process_and_python_m_is_the_same() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "shapeviz", "params", "--json"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert (0, "") == (found.returncode, found.stderr)
    assert data("") == json.loads(found.stdout)


def test_a_document_that_no_format_writes_is_no_folder() -> None:
    done = invoke("report", "gpt2", "--no-checks", "-o", "gpt2.docx")
    assert 2 == done.exit_code
    assert "no format writes .docx" in done.stderr
