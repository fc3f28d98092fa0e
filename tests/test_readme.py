"""What the README shows is what the program prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shapeviz

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHOWN = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README, re.S)
PYTHON = re.search(r"```python\nimport shapeviz\n(.*?)```", README, re.S)


def run(command: str) -> str:
    """The standard output of a command of the README, with this environment's shapeviz."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    ).stdout


def test_the_readme_shows_output() -> None:
    assert len(SHOWN) >= 3
    assert all(output.strip() for _, output in SHOWN)


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_of_the_readme_prints_what_stands_there(command: str, output: str) -> None:
    assert output.strip().splitlines() == run(command).strip().splitlines()


def test_the_python_of_the_readme_gives_the_values_in_its_comments() -> None:
    assert PYTHON
    names: dict[str, object] = {"shapeviz": shapeviz}
    checked = 0
    for line in PYTHON[1].strip().splitlines():
        code, _, expected = line.partition("#")
        if expected:
            assert int(expected) == eval(code, names)
            checked += 1
        elif not code.startswith("print"):
            exec(code, names)
    assert checked == 2


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / ".github/CONTRIBUTING.md"]:
        links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", document.read_text())
        for link in (one or other for one, other in links):
            assert link.startswith("http") or (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_flag_of_the_readme_is_known() -> None:
    verbs = ["trace", "params", "flops", "explain", "verify", "report", "train"]
    shown = [run("shapeviz --help"), *(run(f"shapeviz {verb} --help-all") for verb in verbs)]
    known = set(re.findall(r"--[a-z-]+", " ".join(shown)))
    text = re.sub(r"^```.*?^```", "", README, flags=re.S | re.M)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
