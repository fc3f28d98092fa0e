"""What the pages of docs/ show is what the program prints: values in Python, commands, files that extend it."""

import os
import re
import shutil
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest
from test_architecture import ORDER

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
ELSEWHERE = {"training.md"}  # what it trains is run by tests/train/test_training_docs.py
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.S)


def blocks(page: Path, kind: str) -> list[re.Match[str]]:
    return [found for found in BLOCK.finditer(page.read_text()) if found["kind"] == kind]


def having(kind: str, files: bool = False) -> list[Path]:
    """The pages with blocks of a kind that are to be run, or that make files."""
    pages = [page for page in PAGES if page.name not in ELSEWHERE]
    return [page for page in pages if any(bool(found["file"]) == files for found in blocks(page, kind))]


def run(command: str, folder: Path, package: Path) -> str:
    """What a command prints, with this environment's programs and the package in a folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(package), "PYTHONIOENCODING": "utf-8"}
    command = command.replace("shapeviz ", f"{sys.executable} -m shapeviz ", 1)
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + (done.stderr if done.returncode not in (0, 1) else "")


@pytest.mark.parametrize("page", having("python"), ids=lambda page: page.name)
def test_the_python_of_a_page_gives_the_values_in_its_comments(page: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        if not block["file"]:
            check_values(block["text"], names)


def check_values(text: str, names: dict[str, object]) -> None:
    """Runs a block; a line that is an expression with a comment after two spaces must have the comment's value."""
    code: list[str] = []
    for line in text.splitlines():
        expression, _, comment = line.partition("  #")
        if comment and re.match(r"[\w.\[\]\"'(),= ·*+/-]+$", expression.strip()) and is_expression(expression):
            exec("\n".join(code), names)
            code = []
            if is_value(comment):
                assert literal_eval(comment.strip()) == eval(expression, names), line
        else:
            code.append(line)
    exec("\n".join(code), names)


def is_expression(text: str) -> bool:
    try:
        compile(text.strip(), "page", "eval")
    except SyntaxError:
        return False
    return not text.startswith(" ")


def is_value(comment: str) -> bool:
    """True of a literal, which is compared; words explain."""
    try:
        literal_eval(comment.strip())
    except (SyntaxError, ValueError):
        return False
    return True


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package, for files of a page to be put into."""
    shutil.copytree(ROOT / "shapeviz", tmp_path / "shapeviz", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("page", having("console"), ids=lambda page: page.name)
def test_the_commands_of_a_page_print_what_stands_there(page: Path, extended: Path) -> None:
    for block in BLOCK.finditer(page.read_text()):
        if block["file"]:
            (extended / block["file"]).write_text(block["text"])
        elif block["kind"] == "console":
            for command, output in re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block["text"], re.S | re.M):
                folder = extended if "--claims" not in command else ROOT
                assert output.strip().splitlines() == run(command, folder, extended).strip().splitlines(), command


def test_the_order_of_imports_that_the_architecture_shows_is_the_one_that_is_tested() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    shown = re.search(r"```\n(errors .*?)```", text, re.S)
    assert shown
    assert shown[1].split() == ORDER


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    assert [page.name for page in PAGES if f"]({page.name})" not in index and page.name != "index.md"] == []
