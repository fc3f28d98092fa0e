"""reports/ is what the program makes: regenerated and compared, and the same when it is made twice."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shapeviz.verify as proofs
from shapeviz.cli._app import app
from shapeviz.ir import Model
from shapeviz.report import Check, Report
from shapeviz.verify import configuration_proof, verify

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "reports" / "q1"
PUBLISHED = ["gpt2", "llama-3-8b", "mixtral-8x7b", "deepseek-v3"]
DOT = shutil.which("dot")
EXACT = ("report.md", "report.json", "figures/model.dot", "figures/multi_head.dot", "figures/attention.dot")


def make(folder: Path, *model: str) -> None:
    """Runs `shapeviz report` in a folder, under the name that the gallery was made with."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(app, ["report", *model, "-o", f"reports/{model[0] if model else 'q1'}"])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if DOT is None and not os.environ.get("CI"):
        pytest.skip("Graphviz is not installed: no figures can be drawn")
    folders = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    seen: dict[str, tuple[Check, ...]] = {}

    def once(model: Model) -> tuple[Check, ...]:
        if model.name not in seen:
            seen[model.name] = verify(model)
        return seen[model.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proofs, "verify", once)
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
    ours, made = (text(folder / name) for folder in (GALLERY, twice[0]))
    assert ours == made


def text(path: Path) -> str:
    """What stands in a file, but for the versions of what made it; of a drawing the words alone."""
    content = path.read_text()
    if path.suffix == ".svg":  # another version of Graphviz, or other fonts, place them differently
        return "\n".join(sorted(re.findall(r"<text[^>]*>([^<]*)</text>", content)))
    return re.sub(r"^- made with .*$", "", content, flags=re.M)


def agreed(model: Model, report: Report, module: object) -> Check:
    """The FLOPs as if they had been counted: 61 layers take half a minute, and fewer are counted in other tests."""
    numbers = {name: size for name, size in model.sizes.numbers.items() if name not in ("B", "S", "T")}
    ours = report.total["flops"].subs(numbers)
    return Check("model", "flops", ours, ours, configuration_proof.COUNTER, "equal as polynomials")


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_published_model_of_the_gallery_is_what_the_program_writes(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if DOT is None and not os.environ.get("CI"):
        pytest.skip("Graphviz is not installed: no figures can be drawn")
    if model != "gpt2":
        monkeypatch.setattr(configuration_proof, "_flops", agreed)
    make(tmp_path, model)
    ours, made = ROOT / "reports" / model, tmp_path / "reports" / model
    assert set(files(ours)) == set(files(made))
    for name in files(made):
        if not name.endswith(".png"):
            assert text(ours / name) == text(made / name), name
    assert "hold." in (made / "report.md").read_text()


@pytest.mark.parametrize("name", ["model", "multi_head", "attention"])
def test_drawn_figures_of_the_gallery_show_the_same_words(twice: tuple[Path, Path], name: str) -> None:
    ours, made = (folder / f"figures/{name}.svg" for folder in (GALLERY, twice[0]))
    assert text(ours) == text(made)
    assert "viewBox" in ours.read_text()


def test_the_figures_are_drawn_by_dot_without_a_warning() -> None:
    if DOT is None:
        assert not os.environ.get("CI"), "Graphviz is missing in CI"
        pytest.skip("Graphviz is not installed")
    for figure in sorted(GALLERY.parent.glob("*/figures/*.dot")):
        done = subprocess.run([DOT, "-Tsvg", str(figure)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
