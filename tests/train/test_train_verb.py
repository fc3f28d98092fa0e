"""The verb `train`: options of the recipe, folders, messages and exit codes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from training import TINY, text
from typer.testing import CliRunner

from shapeviz.cli._app import app

FLAGS = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@dataclass(frozen=True)
class Done:
    """What a command has said."""

    returncode: int
    stdout: str
    stderr: str


def shapeviz(*words: object, cwd: Path | None = None, given: str = "") -> Done:
    """A command in this process, in a working directory of its own."""
    before = Path.cwd()
    os.chdir(cwd or before)
    try:
        result = CliRunner().invoke(app, list(map(str, words)), input=given)
    finally:
        os.chdir(before)
    return Done(result.exit_code, result.stdout, result.stderr)


def process(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    command = [sys.executable, "-m", "shapeviz", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=cwd, input="")


def test_train_resume_and_params_work_on_one_folder(tmp_path: Path) -> None:
    path = text(tmp_path)
    first = process("train", "--text", path, *FLAGS, "--no-bias", "--steps", 10, cwd=tmp_path)
    assert 0 == first.returncode, first.stderr
    assert first.stdout.startswith("runs/1: step 10, loss ")
    assert "step 10/10: loss" in first.stderr
    recipe = json.loads((tmp_path / "runs" / "1" / "recipe.json").read_text())
    assert (False, 10) == (recipe["bias"], recipe["steps"])
    more = process("train", "--resume", tmp_path / "runs" / "1", "--steps", 20)
    assert 0 == more.returncode, more.stderr
    assert "going on at step 10 of 20" in more.stderr
    other = shapeviz("train", "--resume", tmp_path / "runs" / "1", "--layers", 2)
    assert (2, "--layers is 1 there, 2 here") == (other.returncode, other.stderr.partition("configuration: ")[2][:27])
    found = shapeviz("params", tmp_path / "runs" / "1")
    assert 0 == found.returncode, found.stderr


@pytest.mark.parametrize("kind", ["--text", "--csv"])
def test_what_came_from_standard_input_is_there_when_a_run_goes_on(tmp_path: Path, kind: str) -> None:
    words = text(tmp_path).read_text()
    given = words if kind == "--text" else "text\n" + "\n".join(f'"{line}"' for line in words.splitlines())
    first = shapeviz("train", kind, "-", *FLAGS, "--steps", 5, "-o", tmp_path / "run", given=given)
    assert 0 == first.returncode, first.stderr
    more = shapeviz("train", "--resume", tmp_path / "run", "--steps", 6)
    assert 0 == more.returncode, more.stderr
    assert "going on at step 5 of 6" in more.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "0"], "--steps 0 must be at least 1"),
        (["--d-model", "30", "--heads", "4"], "not divisible"),
        (["--preset", "fsat"], "did you mean 'fast'"),
        (["-o", "a", "-o", "b"], "a run has one folder"),
        (["--resume", "none"], "there is no such folder"),
        (["--resume", "none", "-o", "other"], "leave out -o"),
        (["--device", "gpu"], "--device gpu is unknown"),
        (["--d-model", "1000000000"], "GiB at least, and cpu has"),
        (["--layers", "1000000000"], "GiB at least, and cpu has"),
        (["--batch-size", "30000000"], "GiB at least, and cpu has"),
        (["--ff", "99999999999999999999999"], "--ff 99999999999999999999999 must be less than 2,147,483,648"),
        (["--accumulate", "1000000000"], "tokens an update or more are refused"),
        (["--heads", "1000000000"], "--heads 1000000000 are more than --d-model 128"),
        (["--threads", "100000"], "more than 4,096"),
        (["--text", "/dev/zero"], "it is a device"),
        (["--text", ""], "a file name is expected"),
        (["--tokenizer", "bpe", "--vocab-size", "99999999"], "larger than 16,777,216"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(tmp_path: Path, words: list[str], message: str) -> None:
    done = shapeviz("train", *words, cwd=tmp_path)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_run_goes_on_from_any_directory_and_says_when_it_is_done(tmp_path: Path) -> None:
    text(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    first = shapeviz("train", "--text", "words.txt", *FLAGS, "--steps", 10, "-o", "run", cwd=tmp_path)
    assert 0 == first.returncode, first.stderr
    assert "bits a character" in first.stdout
    run, before = tmp_path / "run", None
    for words, code, message in (
        (["--steps", 20], 0, "going on at step 10 of 20"),
        ([], 0, "has come to its last step, 20: --steps asks for more"),
        (["--steps", 5], 2, "is at step 20: --steps 5 is behind it"),
    ):
        done = shapeviz("train", "--resume", run, *words, cwd=tmp_path / "elsewhere")
        assert code == done.returncode, done.stderr
        assert message in done.stderr
        files = {
            path.name: path.read_bytes() for path in run.iterdir() if path.suffix in (".pt", ".json", ".md", ".jsonl")
        }
        assert before in (None, files)
        before = files


def test_a_lost_checkpoint_is_told_and_nothing_is_begun_anew(tmp_path: Path) -> None:
    done = shapeviz("train", "--text", text(tmp_path), *FLAGS, "--steps", 10, "-o", tmp_path / "run")
    assert 0 == done.returncode, done.stderr
    (tmp_path / "run" / "last.pt").unlink()
    best = (tmp_path / "run" / "best.pt").read_bytes()
    lost = shapeviz("train", "--resume", tmp_path / "run", "--steps", 20)
    assert (2, best) == (lost.returncode, (tmp_path / "run" / "best.pt").read_bytes())
    assert "last.pt is missing, and the run had come to one; to go on from where the run was best: cp" in lost.stderr
    (tmp_path / "run" / "best.pt").rename(tmp_path / "run" / "last.pt")
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 32'))
    other = shapeviz("train", "--resume", tmp_path / "run", "--steps", 20)
    assert other.returncode == 2
    assert "config.json is not that of recipe.json beside it" in other.stderr
    (tmp_path / "run" / "recipe.json").write_text("[" * 200_000)
    assert "not JSON" in shapeviz("train", "--resume", tmp_path / "run").stderr


def test_help_does_not_import_torch() -> None:
    code = "import sys; sys.argv = ['shapeviz', 'train', '--help']\nfrom shapeviz.cli import main\n"
    code += "try: main()\nfinally: print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert (0, "[]\n") == (done.returncode, done.stderr)
    assert all(flag in done.stdout for flag in ("--d-model", "--resume", "--[no-]tie", "learned|rotary|sinusoidal"))


def test_before_the_first_step_nothing_is_imported_that_only_a_report_needs(tmp_path: Path) -> None:
    """Matplotlib draws; torch._dynamo, which tracing needs and PyTorch's optimizers ask for, takes as long as torch."""
    program = (
        "import sys\n"
        "from shapeviz.train import loop\n"
        "def first(*_):\n"
        "    print(sorted({'matplotlib', 'torch._dynamo', 'transformers'} & set(sys.modules)))\n"
        "    sys.stdout.flush(), os._exit(0)\n"
        "import os; loop.update = first\n"
        f"sys.argv = ['shapeviz', 'train', '--layers', '1', '--d-model', '16', '-o', {str(tmp_path / 'run')!r}]\n"
        "from shapeviz.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "[]\n" == done.stdout, done.stderr
