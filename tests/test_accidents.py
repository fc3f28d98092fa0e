"""What goes wrong around the program: full disks, readers that go, tools that die, faults that nobody has foreseen."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import shapeviz
import shapeviz.testing
from shapeviz.cli import _frame
from shapeviz.cli._app import app
from shapeviz.errors import InputError
from shapeviz.files import read_bytes, write, write_all
from shapeviz.quantity import counted

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-m", "shapeviz"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def shell(line: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of bash in which $S is the program."""
    words = ["/bin/bash", "-c", line.replace("$S", f"'{sys.executable}' -m shapeviz")]
    known = {**ENVIRONMENT, **environment}
    return subprocess.run(
        words, cwd=folder, env=known, timeout=120, check=False, capture_output=True, encoding="utf-8", errors="replace"
    )


# standard output


def test_all_of_a_result_comes_through_a_pipe_that_does_not_wait() -> None:
    whole = subprocess.run([*PROGRAM, "params", "--json"], env=ENVIRONMENT, capture_output=True, check=True).stdout
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETFL, fcntl.fcntl(theirs, fcntl.F_GETFL) | os.O_NONBLOCK)
    unbuffered = {**ENVIRONMENT, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*PROGRAM, "params", "--json"], env=unbuffered, stdout=theirs) as program:
        os.close(theirs)
        time.sleep(0.5)  # the pipe holds 65,536 bytes: the program finds it full
        with os.fdopen(ours, "rb") as pipe:
            assert (whole, True) == (pipe.read(), len(whole) > 65536)
    assert 0 == program.returncode


@pytest.mark.parametrize("line", ["params --json", "diff gpt2 gpt2-medium"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_a_full_disk_does_not_take_is_told(line: str, unbuffered: str) -> None:
    done = shell(f"$S {line} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (2, "Error: cannot write the result: No space left on device\n") == (done.returncode, done.stderr)


def test_a_check_that_fails_fails_also_where_the_reader_has_gone() -> None:
    done = shell("$S diff gpt2 gpt2-medium | (exec 0<&-; sleep 1); exit ${PIPESTATUS[0]}")
    assert (1, "") == (done.returncode, done.stderr)
    done = shell("$S params gpt2 | (exec 0<&-; sleep 1); exit ${PIPESTATUS[0]}")
    assert (0, "") == (done.returncode, done.stderr)


# tools


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "could not draw"),
        ("cat > /dev/null", "it gave no svg"),
        (r"cat > /dev/null; printf 'no \377 plugin' >&2; exit 1", "no � plugin"),
    ],
    ids=["dies", "gives nothing", "complains in no UTF-8"],
)
def test_a_dot_that_fails_is_an_error_and_writes_nothing(script: str, words: str, tmp_path: Path) -> None:
    dot = tmp_path / "dot"
    dot.write_text(f"#!/bin/sh\n{script}\n")
    dot.chmod(0o755)
    # more of the language of dot than a pipe holds
    line = "from shapeviz.renderers._graphviz import draw; import shapeviz.renderers._graphviz as g; " \
        "g.to_dot = lambda *_: 'digraph {' + ' ' * 200_000 + '}'; draw(None, None, 'svg')"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, encoding="utf-8", check=False,
        env={**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert "ShapevizError: `dot` could not draw the figure" in last
    assert words in last


# files


@pytest.mark.parametrize(
    "line",
    [
        "params g -o g/config.json",
        "diff g/config.json gpt2 -f md -o g/config.json",
        "diff gpt2 g -f json -o g/config.json",
        "report g --no-checks -o g/config.json",
        "report gpt2 --no-checks -o run",
        "verify --claims claims.toml -f md -o claims.toml",
        "generate run -o run/recipe.json",
    ],
)
def test_no_result_is_written_over_what_it_is_read_from(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("g", "run"):
        Path(name).mkdir()
    Path("g/config.json").write_text(json.dumps({"model_type": "gpt2"}))
    Path("run/recipe.json").write_text("{}")
    Path("claims.toml").write_text((ROOT / "examples" / "q1_claims.toml").read_text())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = CliRunner().invoke(app, line.split())
    assert (2, True) == (result.exit_code, "Error: -o " in result.stderr), result.stderr
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_file_is_never_written_through_a_link_that_somebody_planted(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    for number in range(3):
        (tmp_path / f".shapeviz-{os.getpid()}-{number}.tmp").symlink_to(victim)
    write_all({tmp_path / "a.json": "one", tmp_path / "b.json": "two"})
    assert ("kept", "one", "two") == (victim.read_text(), *((tmp_path / f"{x}.json").read_text() for x in "ab"))
    assert not (tmp_path / "a.json").is_symlink()


def test_a_new_file_has_the_usual_mode_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch(mode=0o600)
    before = os.umask(0o027)
    try:
        write_all({new: "x", old: "y"})
    finally:
        os.umask(before)
    assert [0o640, 0o600] == [stat.S_IMODE(path.stat().st_mode) for path in (new, old)]
    assert {"new", "old"} == {path.name for path in tmp_path.iterdir()}


def test_what_might_never_end_is_not_read(tmp_path: Path) -> None:
    pipe, endless = tmp_path / "pipe", tmp_path / "endless"
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    for path in (pipe, endless):
        with pytest.raises(InputError, match="no regular file"):
            read_bytes(path)


# faults


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError("not even words")


def interrupted_in_a_class() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        raise RuntimeError("Error calling __set_name__") from error


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (
            ZeroDivisionError("a fault\nof ours"),
            2,
            "Error: ZeroDivisionError: a fault, which was not foreseen; --debug",
        ),
        (Unspeakable(), 2, "Error: Unspeakable, which was not foreseen"),
        (MemoryError(), 2, "Error: there is not enough memory"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), 2, "Error: UnicodeEncodeError: "),
        (None, 130, "interrupted"),
    ],
)
def test_a_fault_that_nobody_has_foreseen_is_one_line_and_no_failed_check(
    fault: Exception | None, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: Any) -> None:
        if fault is None:
            interrupted_in_a_class()
        else:
            raise fault

    monkeypatch.setattr("shapeviz.cli.models.run", run)
    result = CliRunner().invoke(app, ["models"])
    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n")), result.stderr
    assert result.stderr.startswith(words)
    if isinstance(fault, ZeroDivisionError):
        assert "Traceback" in CliRunner().invoke(app, ["models", "--debug"]).stderr


def test_a_ctrl_c_that_python_would_ignore_comes_once_more() -> None:
    code = (
        "import time, weakref\nfrom shapeviz.cli import _frame\n_frame.keep_interrupts()\n"
        "class Thing: pass\n"
        "def gone(_): raise KeyboardInterrupt\n"
        "thing = Thing(); link = weakref.ref(thing, gone); del thing\n"
        "time.sleep(5)\nprint('went on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (-signal.SIGINT, "") == (done.returncode, done.stdout)


# the user's code


MODULE = """
import os
from torch import nn


class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        print("printed")
        os.write(1, b"written\\n")
        os.system("echo from a child")
        os.chdir("/")
        return self.layer(x)


class Unbegun(nn.Module):
    def __init__(self):
        self.size = 1


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Unbegun()


class Ending(nn.Module):
    def forward(self, x):
        raise GeneratorExit


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 4), nn.Linear(3, 4)])
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "m.py"
    path.write_text(MODULE)
    return path


def test_what_a_module_writes_by_any_way_is_no_result(module: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = shell("$S verify m.py:Loud --input 'float32[B,8]' -f json -o out.md", tmp_path)
    assert 0 == done.returncode, done.stderr
    assert 8 * 8 + 8 == json.loads(done.stdout)["total"]["params"]["value"]
    assert (tmp_path / "out.md").exists()
    for words in ("printed", "written", "from a child"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Unbegun", "Unbegun: its __init__ does not call super().__init__()"),
        ("Outer", "Unbegun (inner): its __init__ does not call super().__init__()"),
        ("Ending", "raised GeneratorExit"),
        ("Holder", "Holder has no forward"),
    ],
)
def test_a_module_that_cannot_be_traced_is_refused_in_one_message(name: str, words: str, module: Path) -> None:
    pytest.importorskip("torch")
    result = CliRunner().invoke(app, ["flops", f"{module}:{name}", "--input", "float32[B,8]"])
    assert (2, 1) == (result.exit_code, result.stderr.count("Error: ")), result.output
    assert words in result.stderr


def test_the_parameters_of_a_module_without_a_forward_are_counted(module: Path) -> None:
    pytest.importorskip("torch")
    result = CliRunner().invoke(app, ["params", f"{module}:Holder", "--json"])
    # two layers of 3·4 weights and 4 biases
    assert 2 * (12 + 4) == json.loads(result.stdout)["total"]["params"]["value"]


def test_standard_output_that_is_no_file_is_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    _frame.put("ein Maß\n".encode())
    assert "ein Maß\n" == capsys.readouterr().out


def test_write_makes_no_file_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mkdir -p"):
        write(tmp_path / "none" / "a", "x")


# numbers in words


@pytest.mark.parametrize("text", ["1,5B", "12,34", "1,2345", ",5", "1,,000", "9" * 5000, 10**200, 2e9, True, "²"])
def test_a_number_of_things_that_could_be_read_in_two_ways_is_refused(text: Any) -> None:
    with pytest.raises(InputError, match="a whole number is needed"):
        counted(text, "max_params")


@pytest.mark.parametrize(
    ("text", "number"), [("1,500", 1500), ("1_000", 1000), ("12,345.5K", 12_345_500), ("1.5B", 15 * 10**8)]
)
def test_thousands_are_parted_by_commas_in_threes(text: str, number: int) -> None:
    assert number == counted(text, "max_params")


@pytest.mark.parametrize(
    "model",
    ["a\0b.json", {"model_type": "vit", "num_labels": 5, "id2label": -1}, {"model_type": "vit", "id2label": []}],
)
def test_what_is_no_model_is_refused_by_the_same_error(model: Any) -> None:
    with pytest.raises(InputError):
        shapeviz.read(model)


@pytest.mark.parametrize("formula", [2e9, [1], True, None])
def test_a_formula_that_is_none_is_refused(formula: Any) -> None:
    nn = pytest.importorskip("torch").nn
    if formula is None:
        shapeviz.testing.check(nn.Linear(2, 2), "float32[B,2]", flops=formula)
        return
    with pytest.raises(InputError, match="a formula such as"):
        shapeviz.testing.check(nn.Linear(2, 2), "float32[B,2]", flops=formula)


@pytest.mark.parametrize("number", ["²", "0", "-1", "x", "1.5", "9" * 5000])
def test_processes_and_devices_are_counted_in_plain_digits(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from shapeviz.train import comparison, distributed, hardware

    monkeypatch.setenv("WORLD_SIZE", number)
    with pytest.raises(InputError, match="WORLD_SIZE"):
        distributed.size()
    if number not in ("0",):
        with pytest.raises(InputError):
            hardware.device_of(f"cuda:{number}")
        with pytest.raises(InputError):
            comparison.parsed(f"bpe:{number}")


def test_a_lack_of_memory_is_told_as_such() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**55)
    assert "there is not enough memory for this" == _frame.unforeseen(raised.value)


def test_a_python_without_docstrings_says_that_equations_are_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-OO", *PROGRAM[1:], "models"], env=ENVIRONMENT, capture_output=True, check=True
    )
    assert b"most equations are not shown" in done.stderr


@pytest.mark.parametrize("options", [[], ["--size", "N=3"], ["--no-head"], ["--via", "torch"], ["--ignore", "x"]])
def test_of_an_unknown_model_no_option_is_spoken_of(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["params", "lama-3-8b", *options])
    assert (2, True) == (result.exit_code, "did you mean llama-3-8b?" in result.stderr)


def test_a_folder_that_has_the_name_of_a_bundled_model_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gpt2").mkdir()
    Path("gpt2/config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 384, "n_head": 6}))
    notes = [CliRunner().invoke(app, ["params", name]).stderr for name in ("gpt2", "./gpt2", "gpt2-medium")]
    assert [True, False, False] == ["./gpt2 is the folder" in note for note in notes]


@pytest.mark.parametrize("words", [["x" * 10_000], ["params", "x" * 100_000], ["models", "x" * 100_000]])
def test_no_message_is_as_long_as_what_was_typed(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert (2, True) == (result.exit_code, len(result.stderr) < 5000)
