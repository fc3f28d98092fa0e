"""What a build can fail by: budgets, differences of anything that is a model or was measured, annotations."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner, Result

from shapeviz.cli._app import app
from shapeviz.errors import InputError
from shapeviz.renderers.to_github import annotation
from shapeviz.testing import check

ROOT = Path(__file__).parent.parent
NET = """import torch


class Net(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first, self.last = torch.nn.Linear(64, width), torch.nn.Linear(width, 8)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


class Wide(Net):
    def __init__(self):
        super().__init__(48)
"""
INPUT = "--input x:float32[B,64] --size B=32"


def invoke(line: str) -> Result:
    return CliRunner().invoke(app, shlex.split(line))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(NET)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [  # gpt2 at 1024 tokens: 291_648_307_200 FLOPs; its cache: 2 · 12 · 768 · 1024 elements of 2 bytes
        ("params gpt2 --max params=124439808", ""),
        ("params gpt2 --max params=124439807", "gpt2 has 124,439,808 parameters, 1 over the budget of 124,439,807"),
        (
            "params gpt2 --max flops=291G",
            "gpt2 has 291,648,307,200 FLOPs, 648,307,200 over the budget of 291,000,000,000",
        ),
        ("flops gpt2 --max cache=36MiB", ""),
        ("flops gpt2 --max cache=35MiB", "37,748,736 KV-cache bytes, 1,048,576 over the budget of 36,700,160"),
        ("cache gpt2 --max kv_cache=36k --max params=1k", "36,864 KV-cache bytes per token, 864 over"),
        ("params gpt2 --columns flops --max-params 1k", "over the budget of 1,000"),
        (f"params model.py:Net {INPUT} --max flops=147456", ""),  # 2 · 32 · (64 · 32 + 32 · 8)
        (f"params model.py:Net {INPUT} --max flops=147455", "147,456 FLOPs, 1 over"),
        (f"flops model.py:Net {INPUT} --max memory=2k", "bytes of memory"),
        (f"memory model.py:Net {INPUT} --max largest=4095", "4,096 largest tensor, 1 over"),  # 32 · 32 · 4
    ],
)
def test_a_budget_bounds_any_column(line: str, message: str, here: Path) -> None:
    result = invoke(line)
    assert bool(message) == result.exit_code, result.stderr
    assert message in result.stderr
    assert result.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [("--max flop=1", "did you mean 'flops'"), ("--max flops", "write it as COLUMN=AMOUNT"),
     ("--max flops=much", "a whole number is needed"), ("--max flops=1 --max flops=2", "keep one"),
     ("--max params=1 --max-params 2", "keep one"), ("--max memory=1G", "`shapeviz memory`")],
)  # fmt: skip
def test_a_budget_that_cannot_be_is_refused(line: str, words: str) -> None:
    result = invoke(f"params gpt2 {line}")
    assert (2, "") == (result.exit_code, result.stdout)
    assert words in result.stderr


def test_a_budget_that_is_kept_says_what_is_not_counted() -> None:
    assert "without what is not counted of params: V·d_model" in invoke("params --max params=1T").stderr


def test_check_bounds_the_memory_and_any_other_column() -> None:
    module = torch.nn.Linear(64, 8)
    saved, weights = 4 * 32 * 64, 4 * (64 * 8 + 8)  # the input; the weight is a parameter, and counted there
    total = saved + 2 * weights
    asked = {"sizes": {"B": 32}}
    check(module, "float32[B,64]", max_memory=total, max_saved=saved, max_weights="2.08k", **asked)
    with pytest.raises(AssertionError, match=f"bytes of memory: {total:,}, more than {total - 1:,}, at B = 32"):
        check(module, "float32[B,64]", max_memory=total - 1, **asked)
    with pytest.raises(AssertionError, match=f"bytes saved: {saved:,}, more than 1,000"):
        check(module, "float32[B,64]", max_saved="1k", **asked)
    with pytest.raises(InputError, match="max_memory holds at some sizes only"):
        check(module, "float32[B,64]", max_memory="1GiB")
    check(module, "float32[B,64]", max_weights=weights)  # the same at all sizes


def test_annotations_are_escaped_as_github_reads_them() -> None:
    assert "::error title=a%2C b%3A c::50 %25, more:%0A::warning::not a command\n" == annotation(
        "error", "a, b: c", "50 %, more:\n::warning::not a command"
    )


def test_a_failure_is_an_annotation_and_a_result_a_notice(here: Path) -> None:
    result = invoke("params gpt2 --max params=1k -f github")
    notice, error = result.stdout.splitlines()
    assert notice.startswith("::notice title=shapeviz::gpt2: GPT2LMHeadModel%0Aparameters: ")
    assert error == "::error title=shapeviz::gpt2 has 124,439,808 parameters, 124,438,808 over the budget of 1,000"
    assert 1 == result.exit_code
    (error,) = invoke("params nothing-known -f github").stdout.splitlines()
    assert error.startswith("::error title=shapeviz::'nothing-known' is neither")
    (notice,) = invoke(f"diff model.py:Net model.py:Wide {INPUT} --exit-zero -f github").stdout.splitlines()
    assert "params  total  2,344  3,512  1,168  49.8" in notice.split("%0A")


def test_modules_are_compared_at_their_inputs(here: Path) -> None:
    result = invoke(f"diff model.py:Net model.py:Wide {INPUT} --json")
    assert 1 == result.exit_code, result.stderr
    costs = {(e["what"], e["where"]): e for e in json.loads(result.stdout)["costs"]}
    for module, key in ((torch.nn.Linear, "before"), (torch.nn.Linear, "after")):
        width = {"before": 32, "after": 48}[key]
        net = torch.nn.Sequential(module(64, width), torch.nn.ReLU(), module(width, 8))
        with FlopCounterMode(display=False) as counter:
            net(torch.zeros(32, 64))
        assert counter.get_total_flops() == costs["flops", "total"][key]
        assert sum(p.numel() for p in net.parameters()) == costs["params", "total"][key]
    assert 49.8 == costs["params", "total"]["percent"]  # 1168 / 2344
    assert 0 == invoke(f"diff model.py:Net model.py:Wide {INPUT} --exit-zero").exit_code
    assert 0 == invoke(f"diff model.py:Net model.py:Net {INPUT}").exit_code


@pytest.mark.parametrize(
    ("saved", "again"),
    [("params gpt2 --seq 77", "gpt2"), ("flops --enc 1 --dec 1 --d-model 8 --heads 2", "sizes.toml"),
     (f"params model.py:Net {INPUT} --columns params,flops", "model.py:Net --input x:float32[B,64]")],
)  # fmt: skip
def test_a_saved_report_is_what_the_model_is_at_its_sizes(saved: str, again: str, here: Path) -> None:
    (here / "sizes.toml").write_text("enc = 1\ndec = 1\nd_model = 8\nheads = 2\n")
    assert 0 == invoke(f"{saved} -o saved.json").exit_code
    model, *options = again.split(" ", 1)
    for line in (f"saved.json {model}", f"{model} saved.json", "saved.json saved.json"):
        result = invoke(f"diff {line} {' '.join(options)}")
        assert "no difference in shapes or costs" in result.stdout, result.stdout + result.stderr
        assert 0 == result.exit_code


def test_what_a_report_was_saved_as_is_compared_with_another_model(here: Path) -> None:
    invoke("params gpt2 -o saved.json")
    direct = json.loads(invoke("diff gpt2 gpt2 --to-size N=13 --json --columns params,flops").stdout)
    invoke("params gpt2 --columns params,flops -o saved.json")
    found = json.loads(invoke("diff saved.json gpt2 --to-size N=13 --json").stdout)
    assert direct["costs"] == found["costs"]
    assert direct["blocks"] == found["blocks"]


def test_a_json_file_that_is_no_report_is_refused(here: Path) -> None:
    (here / "bad.json").write_text('{"schema": "shapeviz/1", "total": {"params": {"value": 1}}}')
    assert "bad.json: no report as" in invoke("diff bad.json gpt2").stderr
    assert "which `shapeviz diff` takes" in invoke("params bad.json").stderr


def test_a_window_shows_in_the_bytes_of_the_cache() -> None:
    result = invoke("diff mistral-7b-v0.1 mistral-7b-v0.2 --seq 32768 --json")
    cost = next(e for e in json.loads(result.stdout)["costs"] if (e["what"], e["where"]) == ("cache", "total"))
    # 2 · 32 layers · 8 heads · 128 · 2 bytes, of 4096 and of 32768 tokens
    assert (512 * 2**20, 4 * 2**30, 700.0) == (cost["before"], cost["after"], cost["percent"])


def test_two_variants_of_one_model_have_heads_of_their_own() -> None:
    shown = invoke("diff gpt2 gpt2 --to-size N=13").stdout
    assert "gpt2, before" in shown
    assert "gpt2, after" in shown


def test_the_workflow_of_the_documentation_runs(here: Path) -> None:
    page = (ROOT / "docs/ci.md").read_text()
    commands = re.findall(r"^\s*(?:run: )?(shapeviz \w+ .*model\.py:Net.*)$", page, re.M)
    assert 4 == len(commands)
    for line in (commands[-1], *commands[:-1]):  # what is committed comes first
        result = invoke(line.removeprefix("shapeviz "))
        assert 0 == result.exit_code, (line, result.stderr)
