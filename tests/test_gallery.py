"""reports/ is what the program makes: regenerated and compared, and the same when it is made twice."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shapeviz.cli._app import app

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "reports" / "q1"
DOT = shutil.which("dot")
EXACT = ("report.md", "report.json", "figures/model.dot", "figures/multi_head.dot", "figures/attention.dot")


def make(folder: Path) -> None:
    """Runs `shapeviz report` in a folder, under the name that the gallery was made with."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(app, ["report", "-o", "reports/q1"])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if DOT is None and not os.environ.get("CI"):
        pytest.skip("Graphviz is not installed: no figures can be drawn")
    folders = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    for folder in folders:
        make(folder)
    return folders[0] / "reports/q1", folders[1] / "reports/q1"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_made_twice_the_report_is_byte_identical(twice: tuple[Path, Path]) -> None:
    assert files(twice[0]) == files(twice[1])


def test_the_gallery_has_the_files_that_the_program_writes(twice: tuple[Path, Path]) -> None:
    assert set(files(GALLERY)) == set(files(twice[0]))


@pytest.mark.parametrize("name", EXACT)
def test_text_in_the_gallery_is_what_the_program_writes(twice: tuple[Path, Path], name: str) -> None:
    versions = re.compile(r"^- made with .*$", re.M)
    ours, made = ((folder / name).read_text() for folder in (GALLERY, twice[0]))
    assert versions.sub("", ours) == versions.sub("", made)


@pytest.mark.parametrize("name", ["model", "multi_head", "attention"])
def test_drawn_figures_of_the_gallery_show_the_same_words(twice: tuple[Path, Path], name: str) -> None:
    # another version of Graphviz, or other fonts, place them differently
    ours, made = ((folder / f"figures/{name}.svg").read_text() for folder in (GALLERY, twice[0]))
    words = re.compile(r"<text[^>]*>([^<]*)</text>")
    assert sorted(words.findall(ours)) == sorted(words.findall(made))
    assert "viewBox" in ours


def test_the_figures_are_drawn_by_dot_without_a_warning() -> None:
    if DOT is None:
        assert not os.environ.get("CI"), "Graphviz is missing in CI"
        pytest.skip("Graphviz is not installed")
    for figure in sorted(GALLERY.glob("figures/*.dot")):
        done = subprocess.run([DOT, "-Tsvg", str(figure)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
