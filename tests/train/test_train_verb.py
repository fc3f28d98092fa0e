"""The verb `train`: options of the recipe, folders, messages and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from training import TINY, text

FLAGS = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def shapeviz(*words: object, cwd: Path | None = None, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shapeviz", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, input=given)


def test_train_resume_and_params_work_on_one_folder(tmp_path: Path) -> None:
    path = text(tmp_path)
    first = shapeviz("train", "--text", path, *FLAGS, "--no-bias", "--steps", 10, cwd=tmp_path)
    assert 0 == first.returncode, first.stderr
    assert first.stdout.startswith("runs/1: step 10, loss ")
    assert "step 10/10: loss" in first.stderr
    recipe = json.loads((tmp_path / "runs" / "1" / "recipe.json").read_text())
    assert (False, 10) == (recipe["bias"], recipe["steps"])
    more = shapeviz("train", "--resume", tmp_path / "runs" / "1", "--steps", 20)
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
    ],
)
def test_a_mistake_is_one_message_and_exit_2(tmp_path: Path, words: list[str], message: str) -> None:
    done = shapeviz("train", *words, cwd=tmp_path)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_help_does_not_import_torch() -> None:
    code = "import sys; sys.argv = ['shapeviz', 'train', '--help']\nfrom shapeviz.cli import main\n"
    code += "try: main()\nfinally: print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (0, "[]\n") == (done.returncode, done.stderr)
    assert all(flag in done.stdout for flag in ("--d-model", "--resume", "--no-tie", "learned|rotary|sinusoidal"))
