"""Help: on one screen what a verb does and takes, with examples that run; every flag of it used; completion; hints."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from shapeviz import plugins, published
from shapeviz.cli._app import app
from shapeviz.cli._help import START

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
VERBS = plugins.names("shapeviz.cli")
# their options are proved, and nothing is run
HEAVY = ("export", "generate", "memory", "runs", "tokenizers", "train", "verify")
SIZES = (
    "--enc 1 --dec 1 --d-model 8 --heads 2 --kv-heads 1 --d-k 4 --d-v 6 --ff 4,4 --gated --no-gated --norm rms "
    "--norm-position pre --no-bias --bias --vocab 11 --no-tie --tie --positions learned --max-len 9 --batch 2 --seq 5 "
    "--tgt-seq 4 --debug --figure encoder --theme dark -f dot --format dot"
)
CONFIG = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 11, "n_positions": 16, "odd": 1}
PUBLISHED = "config.json --size N=2 --head --no-head --ignore odd --json -o out.md --output out.json"
MODULE = "net.py:Net --vary width --input float32[B,width] --size B=3 --training --input-grad --no-input-grad --strict"
MODULE += " --patience 60"
OWN = {
    "--active": "", "--max-params": "9M", "--max-active": "9M", "--max": "params=9M", "--by-kind": "",
    "--columns": "params,flops", "--kernels": "flash", "--depth": "1", "--summary": "",
    "--dtype": "float16", "--to-size": "N=2", "--no-checks": "", "--claims": str(ROOT / "examples/q1_claims.toml"),
}  # fmt: skip
"""Options of single verbs, and a value for each that takes one."""


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def command(verb: str) -> Any:
    group: Any = typer.main.get_command(app)
    return group.get_command(typer.Context(group), verb)


def flags(verb: str) -> set[str]:
    """Every flag that a verb's whole help names, help itself and what shells do with them left out."""
    text = invoke(verb, "--help-all").stdout
    return set(re.findall(r"(?:(?<=\s)|(?<=/))--?[a-z][a-z0-9-]*(?=[\s,/])", text)) - {"--help", "--help-all", "-h"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module, a configuration and a text, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "book.txt").write_text("to be or not to be\n" * 40)
    (tmp_path / "net.py").write_text(
        "import torch\n\n\nclass Net(torch.nn.Sequential):\n"
        "    def __init__(self, width=4):\n        super().__init__(torch.nn.Linear(width, 2), torch.nn.ReLU())\n"
    )
    (tmp_path / "model.py").write_text(
        "import torch\n\n\ndef UNet():\n    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())\n"
    )
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_on_a_screen_with_two_examples_on_top(verb: str) -> None:
    lines = invoke(verb, "--help").stdout.rstrip("\n").split("\n")
    usage = next(place for place, line in enumerate(lines) if line.startswith("Usage: "))
    assert 2 == sum(line.startswith(f"  shapeviz {verb}") for line in lines[:usage])
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert lines == invoke("help", verb).stdout.rstrip("\n").split("\n")
    assert lines == invoke(verb, "-h").stdout.rstrip("\n").split("\n")


@pytest.mark.parametrize("verb", VERBS)
def test_the_whole_help_says_every_option_and_the_exit_codes(verb: str) -> None:
    text = invoke(verb, "--help-all").stdout
    told = " ".join(text.split())
    for option in command(verb).params:
        if option.param_type_name == "option" and not option.hidden:
            assert {*option.opts, *option.secondary_opts} <= {*flags(verb), "--help-all"}
            assert " ".join(option.help.split()) in told or "-" in option.help  # words with hyphens are broken
    assert "130" in text


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in HEAVY])
def test_the_examples_of_the_help_run(verb: str, here: Path) -> None:
    for line in plugins.load("shapeviz.cli", verb).EXAMPLES:
        result = invoke(*shlex.split(line)[1:])
        assert result.exit_code == (verb == "diff"), (line, result.stderr)
        assert result.stdout or verb == "report"


@pytest.mark.parametrize("verb", HEAVY)
def test_the_examples_of_what_runs_long_have_options_that_are_known(verb: str) -> None:
    for line in plugins.load("shapeviz.cli", verb).EXAMPLES:
        words = shlex.split(line)
        assert ["shapeviz", verb] == words[:2]
        command(verb).make_context(verb, words[2:])


COMMON = ["trace", "params", "flops", "cache", "explain", "memory"]


@pytest.mark.parametrize("verb", COMMON)
def test_every_flag_of_a_verb_works(verb: str, here: Path) -> None:
    used = {"--via"}  # below
    own = [flag for flag in flags(verb) if flag in OWN]
    lines = [
        SIZES,
        *[MODULE] * (verb != "cache"),
        PUBLISHED,
        *(f"config.json --ignore odd {flag} {OWN[flag]}" for flag in own),
    ]
    if verb == "memory":  # of a configuration it runs the module of transformers
        lines = [
            SIZES,
            MODULE,
            "--enc 1 --dec 0 --d-model 8 --seq 3 --dtype float16 --columns saved --max params=1M --depth 1",
            "--enc 1 --dec 0 --d-model 8 --heads 2 --ff 4 --seq 3 --kernels flash --summary",
        ]
        used |= {"--size", "--head", "--no-head", "--ignore", "--json", "-o", "--output"}
    for line in lines:
        result = invoke(verb, *line.split())
        assert 0 == result.exit_code, (line, result.stderr)
        used |= {word for word in line.split() if word.startswith("-")}
    assert flags(verb) <= {*used, "--strict"}


def test_the_flags_of_the_other_verbs_work(here: Path) -> None:
    lines = [
        "report --enc 1 --dec 0 --seq 4 --no-checks --figure encoder.layer -o r --columns params --dtype float16",
        "report net.py:Net --input float32[B,4] --size B=3 --checks -o s",
        "params config.json --via torch",
        "diff gpt2 gpt2 --columns params --dtype float16 --json",
        "models gpt2 -f md -o models.md",
        "verify --claims examples/q1_claims.toml --batch 32 --seq 4096",
        "tokenizers --text book.txt --kind char --steps 0 --json",
    ]
    for line in lines:
        result = invoke(*line.split())
        assert result.exit_code == ("claims" in line), (line, result.stderr)
    assert 1 == invoke("diff", "gpt2", "gpt2", "--to-size", "N=3").exit_code


def test_of_a_named_model_help_shows_what_that_takes(here: Path) -> None:
    shown = invoke("params", "gpt2", "--help").stdout
    assert "--ignore" in shown
    assert "--input" not in shown
    assert "--norm" not in shown
    shown = invoke("params", "net.py:Net", "-h").stdout
    assert "--input" in shown
    assert "--ignore" not in shown
    assert "--d-model" not in shown.partition("MODEL")[2]
    assert "--input" in invoke("params", "-h").stdout


@pytest.mark.parametrize("verb", ["models", "diff", "tokenizers"])
def test_a_verb_of_tables_offers_no_format_that_draws(verb: str) -> None:
    shown = invoke(verb, "--help-all").stdout.partition("Formats")[2]
    assert "markdown" in shown
    assert ".svg" not in shown


def test_the_program_alone_shows_three_commands_that_run(here: Path) -> None:
    result = invoke()
    assert (0, "") == (result.exit_code, result.stderr)
    assert len(result.stdout.splitlines()) < 24
    assert 3 == len(START)
    for line, _ in START:
        assert f"  {line}" in result.stdout
        assert 0 == invoke(*line.split()[1:]).exit_code


def test_the_help_of_the_program_fits_on_a_screen_and_has_a_line_for_every_verb() -> None:
    lines = invoke("--help").stdout.rstrip("\n").split("\n")
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert {*VERBS} <= {line.split()[0] for line in lines if line.startswith("  ")}


def test_the_version_and_the_help_have_short_names() -> None:
    assert invoke("--version").stdout == invoke("-V").stdout != ""
    assert invoke("--help").stdout == invoke("-h").stdout == invoke("help").stdout != ""


@pytest.mark.parametrize(
    ("line", "words"),
    [("gpt2", "shapeviz params gpt2"), ("net.py:Net", "shapeviz trace net.py:Net"), ("sizes.toml", "params sizes.toml"),
     ("config.json", "shapeviz params config.json"), ("summary", "did you mean 'params'"), ("shapes", "'trace'"),
     ("figure", "'report'"), ("param", "'params'"), ("params --head 8", "--heads 8"),
     ("params gpt2 --head 8", "--heads 8"), ("params --layers 8", "--enc and --dec"),
     ("params gpt2 --layers=8", "--size N=8"), ("params --ff 2048 512", "--ff 2048,512"),
     ("params gpt2 --dtype half", "did you mean 'float16'"), ("params gpt2 --dtype fp8", "'float8_e4m3fn'"),
     ("params --batch-size 3", "it is --batch"), ("params --model gpt2", "without a flag")],
)  # fmt: skip
def test_what_was_meant_is_told(line: str, words: str, here: Path) -> None:
    result = invoke(*line.split())
    assert (2, "") == (result.exit_code, result.stdout)
    assert words in result.stderr
    assert result.stderr.startswith("Error: ")


def test_a_head_may_stand_before_the_model(here: Path) -> None:
    assert 0 == invoke("params", "--head", "config.json", "--ignore", "odd").exit_code


def completed(line: str, where: Path) -> list[str]:
    environment = {**ENVIRONMENT, "_SHAPEVIZ_COMPLETE": "complete_bash", "COMP_WORDS": line}
    words = {"COMP_CWORD": str(len(line.split(" ")) - 1)}
    program = "import sys; sys.argv[0] = 'shapeviz'; from shapeviz.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=where, env={**environment, **words}
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()


def test_verbs_options_models_and_choices_are_completed(here: Path) -> None:
    assert ["params"] == completed("shapeviz par", here)
    assert "--max-params" in completed("shapeviz params --max", here)
    assert [name for name in published.names() if name.startswith("llama-3")] == completed(
        "shapeviz flops llama-3", here
    )
    assert ["config.json"] == completed("shapeviz params conf", here)
    assert ["rotary"] == completed("shapeviz params --positions ro", here)
    assert ["params,flops"] == completed("shapeviz params --columns params,fl", here)
    assert "bytes_moved" in completed("shapeviz trace --columns b", here)
    assert ["markdown", "mermaid"] == completed("shapeviz params -f m", here)
