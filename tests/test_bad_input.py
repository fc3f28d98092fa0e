"""A mistake gets one message, exit code 2, and leaves every file as it was."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shapeviz.cli._app import app
from shapeviz.errors import InputError
from shapeviz.files import read_text, write, write_all

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-m", "shapeviz"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def shell(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A shell command in which $S is the program."""
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("$S", f"'{sys.executable}' -m shapeviz")],
        capture_output=True, encoding="utf-8", errors="replace", env={**ENVIRONMENT, **environment}, timeout=600,
    )  # fmt: skip


def refused(*words: str) -> str:
    """The one message of a command that must fail."""
    result = invoke(*words)
    assert (2, "") == (result.exit_code, result.stdout), result.stderr
    assert 1 == result.stderr.count("Error: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr) < 1500
    return result.stderr


@pytest.mark.parametrize(
    "value", ["0", "-1", "1.5", "1e3", "true", "", " ", "inf", "x", "٣", "1" + "0" * 51, "5" * 5000, "-" + "5" * 5000]
)
def test_a_size_that_is_no_size_is_refused(value: str) -> None:
    assert "--d-model" in refused("params", f"--d-model={value}")


@pytest.mark.parametrize("value", ["512,,512", "512;512", "", "[]", "512,", "0", "4,-1", "1.5", "9" * 99])
def test_a_list_of_widths_with_a_slip_is_refused_with_an_example(value: str) -> None:
    assert "for instance 512,512" in refused("params", f"--ff={value}")


def test_a_list_of_more_widths_than_are_taken_is_refused_with_the_number_that_is() -> None:
    assert 0 == invoke("params", "--ff=" + ",".join(["1"] * 100)).exit_code
    assert "a list of 1 to 100 hidden widths" in refused("params", "--ff=" + ",".join(["1"] * 101))


@pytest.mark.parametrize(
    "text",
    ["", " \n", "heads =", "heads = 8\nheads = 9", "heads = 1\n[model]\nheads = 1", "d-model = 8\nd_model = 8",
     "model = 3", "[[model]]\nheads = 3", "[a.b]\nc = 1", "ff = []", "ff = ['x']", "ff = [[5]]", "ff = 5.0",
     "ff = 1979-05-27", "d_model = {a = 1}", "d_model = 1979-05-27T07:32:00Z", "d_model = true", "d_model = [5]",
     "d_model = inf", "norm = 3", "gated = 'true'", "gated = 1", "name = ''", 'name = "a\\u0007b"', 'name = "a\\nb"',
     "heads = 8\0", "a = " + "[" * 5000, "d_model = " + "5" * 5000, "d_model = 0x" + "f" * 6000,
     "# " + "x" * 2_000_000],
    ids=lambda text: text[:24].strip() or "empty",
)  # fmt: skip
def test_a_file_with_a_slip_is_named_in_the_message(text: str, tmp_path: Path) -> None:
    path = tmp_path / "slip.toml"
    path.write_text(text, encoding="utf-8")
    assert "slip.toml" in refused("params", str(path))


@pytest.mark.parametrize("content", [b"\xff\xfeh\0e\0", bytes(range(256))])
def test_a_file_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    assert "not text in UTF-8" in refused("params", str(path))


def test_sources_that_are_no_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("heads = 8")
    assert "mine.toml" in refused("params", str(tmp_path / "mien.toml"))
    assert "is a directory" in refused("params", str(tmp_path))
    for name in ("", "gpt22", "a" * 5000, "a" * 300 + ".toml", "\x1b[31m.toml", "a\0b"):
        assert "\x1b" not in refused("params", name)
    os.mkfifo(tmp_path / "pipe.toml")
    assert "no regular file" in refused("params", str(tmp_path / "pipe.toml"))


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("heads = 8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied" in refused("params", str(path))


@pytest.mark.parametrize(
    ("line", "nearest"),
    [("parms", "params"), ("params --hed 3", "--heads"), ("explain encoder.layr", "encoder.layer"),
     ("params -f jsn", "json"), ("params --theme drk", "dark"), ("params --figure encoder.layr", "encoder.layer"),
     ("params --norm lyer", "layer"), ("params --json -f md", "one of them"), ("_app", "params")],
)  # fmt: skip
def test_an_unknown_name_comes_with_the_nearest(line: str, nearest: str) -> None:
    assert nearest in refused(*line.split())


@pytest.mark.parametrize(
    "bad",
    [["-o", "b.foo"], ["-o", "b"], ["-o", ""], ["-o", "."], ["-o", "missing/b.md"], ["-o", "folder.md"],
     ["-o", "a.toml/b.md"], ["-o", "x" * 300 + ".md"], ["-f", "jsn"], ["-f", ""], ["--theme", "drk"],
     ["--figure", "foo"], ["--heads", "x"]],
)  # fmt: skip
def test_nothing_is_written_when_one_target_or_choice_is_bad(
    bad: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text("heads = 6")
    Path("folder.md").mkdir()
    Path("old.md").write_text("old")
    refused("params", "-o", "old.md", "-o", "new.json", *bad)
    assert "old" == Path("old.md").read_text()
    assert ["a.toml", "folder.md", "old.md"] == sorted(os.listdir())


def test_a_missing_graphviz_is_explained_and_the_dot_file_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install graphviz" in refused("trace", "-o", str(tmp_path / "a.svg"))
    assert ["a.dot"] == os.listdir(tmp_path)


def test_a_name_and_a_file_name_are_escaped_in_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / '<b>&"x.toml'
    path.write_text("name = '<b>&\"x\\'")
    assert '<b>&"x\\' == json.loads(invoke("params", str(path), "--json").stdout)["model"]["name"]
    drawn = invoke("params", str(path), "-f", "dot")
    assert 0 == drawn.exit_code
    assert "<b>" not in drawn.stdout  # ours are upper-case
    if not shutil.which("dot") and "CI" not in os.environ:
        pytest.skip("Graphviz is not installed: no `dot` program")
    subprocess.run(["dot", "-Tdot"], input=drawn.stdout.encode(), check=True, capture_output=True)


def test_a_name_never_leads_a_report_out_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text("name = '../../out'")
    invoke("report", "a.toml", "--no-checks")
    assert ["a.toml", "reports"] == sorted(os.listdir())
    assert ["out"] == os.listdir("reports")


def test_writing_follows_links_keeps_modes_and_never_replaces_a_pipe(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write(link, "new")
    assert link.is_symlink()
    assert ("new", 0o640) == (target.read_text(), target.stat().st_mode & 0o777)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe, "through")
    assert b"through" == os.read(reader, 100)
    assert pipe.is_fifo()
    os.close(reader)


def test_many_files_are_written_all_or_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mkdir -p"):
        write_all({tmp_path / "a": "x", tmp_path / "missing" / "b": "y"})
    assert [] == os.listdir(tmp_path)


def test_an_empty_file_is_told_from_a_missing_one(tmp_path: Path) -> None:
    write(tmp_path / "a", " ")
    with pytest.raises(InputError, match="is empty"):
        read_text(tmp_path / "a", "a file")
    with pytest.raises(InputError, match="No such file"):
        read_text(tmp_path / "b", "a file")


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    found = shell("$S params --heads x --debug")
    assert (2, True) == (found.returncode, "Traceback" in found.stderr)


@pytest.mark.parametrize("line", ["$S trace | head -1", "$S trace --json | true", "$S --help | true"])
def test_a_closed_pipe_ends_silently(line: str) -> None:
    assert "" == shell(line).stderr


@pytest.mark.parametrize("line", ["$S params >&-", "$S params >/dev/full", "$S params --help >/dev/full"])
def test_a_standard_output_that_cannot_be_written_is_one_message(line: str) -> None:
    found = shell(line)
    assert 2 == found.returncode
    assert re.fullmatch(r"Error: cannot write the result: .*\n", found.stderr)


def test_closed_streams_that_are_not_needed_do_not_matter() -> None:
    assert 0 == shell("$S params <&-").returncode
    assert 0 == shell("$S params 2>&-").returncode
    assert 2 == shell("$S params --heads x 2>&-").returncode


def test_the_locale_does_not_change_what_is_written() -> None:
    expected = shell("$S trace").stdout
    assert expected == shell("$S trace", LC_ALL="C", PYTHONIOENCODING="ascii", COLUMNS="40").stdout
    assert "wrote" not in expected


def test_a_terminal_gets_colour_only_without_no_color() -> None:
    pty = pytest.importorskip("pty")

    def drawn(**environment: str) -> bytes:
        main, terminal = pty.openpty()
        with subprocess.Popen(
            [*PROGRAM, "params"], stdin=terminal, stdout=terminal, stderr=terminal,
            env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
        ) as process:  # fmt: skip
            os.close(terminal)
            shown = b""
            try:
                while block := os.read(main, 65536):
                    shown += block
            except OSError:  # how Linux tells that the terminal is closed
                pass
        os.close(main)
        assert 0 == process.returncode
        return shown

    colour = re.compile(rb"\x1b\[[0-9;]*3[0-9]m")
    assert not colour.search(drawn(NO_COLOR="1"))
    assert b"87,731,712" in drawn(NO_COLOR="1")
    assert colour.search(shown := drawn(PYTHONIOENCODING="ascii"))
    assert "█".encode() in shown


@pytest.mark.parametrize("code", ["import shapeviz.cli._app", "import shapeviz.renderers.to_json"])
def test_ctrl_c_ends_with_130_and_no_traceback(code: str, tmp_path: Path) -> None:
    slow = tmp_path / "sitecustomize.py"
    module = code.split()[1]
    slow.write_text(
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            sys.stderr.write('ready\\n'); sys.stderr.flush(); time.sleep(30)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    with subprocess.Popen(
        [*PROGRAM, "params", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert b"ready\n" == process.stderr.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=600)
    assert (130, b"") == (process.returncode, output)
    assert b"Traceback" not in errors


def test_no_file_that_is_read_is_written(tmp_path: Path) -> None:
    module, sizes, claims, text = (tmp_path / name for name in ("m.py", "sizes.toml", "claims.toml", "text.txt"))
    module.write_text("from torch import nn\n\n\ndef linear():\n    return nn.Linear(4, 8)\n")
    sizes.write_text("enc = 1\ndec = 0\n")
    claims.write_text('[[claim]]\npath = "model"\nparams = 1\n')
    text.write_text("To be or not to be\n" * 200)
    before = {path: path.read_text() for path in (module, sizes, claims, text)}
    for words in (
        ["params", f"{module}:linear", "--input", "float32[B,4]", "-f", "md", "-o", str(module)],
        ["diff", "gpt2", str(sizes), "-f", "md", "-o", str(sizes)],
        ["diff", str(sizes), "gpt2", "-f", "md", "-o", str(sizes)],
        ["verify", "--claims", str(claims), "-f", "md", "-o", str(claims)],
        ["tokenizers", "--text", str(text), "--kind", "char", "--steps", "0", "-f", "md", "-o", str(text)],
    ):
        assert "write to another one" in invoke(*words).stderr, words
        assert 2 == invoke(*words).exit_code
    assert before == {path: path.read_text() for path in before}
