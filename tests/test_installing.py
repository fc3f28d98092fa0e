"""On PyPI, `shapeviz` is a project of somebody else: no text tells anybody to install it from there."""

import re
import subprocess
from pathlib import Path

import pytest

from shapeviz.errors import MissingToolError, requiring

ROOT = Path(__file__).parent.parent
NAME = "shapeviz"
# The name with an extra, or as one of the arguments of an installer: `pip install -U torch NAME`, `uv add 'NAME>=1'`.
WRONG = re.compile(
    rf"\b{NAME}\[[a-z]|\b(?:pip3?|pipx|uv|poetry)\b[^&|;`\n]* (?:install|add|run)(?: [^&|;`\n]*)? ['\"]?{NAME}\b"
)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name]


def told(path: Path) -> list[str]:
    """The lines of a file that would install the other project; none of a file that is no text."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [f"{path.relative_to(ROOT)}: {line.strip()}" for line in lines if WRONG.search(line)]


@pytest.mark.parametrize("reports", [False, True], ids=["written by hand", "generated reports"])
def test_no_text_tells_anybody_to_install_the_other_project(reports: bool) -> None:
    paths = [path for path in tracked() if path.is_file() and ("reports" in path.parts) is reports]
    assert paths
    assert [] == [line for path in paths for line in told(path)]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (f"pip install '{NAME}[torch]'", True), (f"pip install {NAME}", True), (f"pip3 install -U torch {NAME}", True),
        (f"uv tool install \"{NAME}>=0.1\"", True), (f"uv pip install {NAME}", True), (f"pipx run {NAME}", True),
        ("pip install '.[torch]'", False), (f"pip install . && {NAME} trace", False),
        (f"`pip install .`, {NAME}", False), ("pip install torch torchinfo fvcore", False),
        (f"pip install -e ./{NAME}", False),
    ],
)  # fmt: skip
def test_the_search_knows_a_wrong_command(line: str, wrong: bool) -> None:
    assert wrong is bool(WRONG.search(line))


def test_a_package_that_is_missing_is_asked_for_by_its_own_name() -> None:
    text = r"this needs no_such_package, which is not installed: pip install a 'b>=2'$"
    with pytest.raises(MissingToolError, match=text), requiring("this", "a", "b>=2"):
        import no_such_package  # noqa: F401


def test_a_package_that_is_broken_is_told_from_one_that_is_missing() -> None:
    text = r"this needs re, which cannot be imported \(cannot import name 'nothing' from .*: pip install a$"
    with pytest.raises(MissingToolError, match=text), requiring("this", "a"):
        from re import nothing  # noqa: F401


def test_a_module_of_our_own_that_is_missing_is_no_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError), requiring("this", "a"):
        import shapeviz.no_such_module  # noqa: F401
