"""reports/training: its page follows from the numbers beside it, and these are within what was asked of the trainer."""

import json
import sys
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import quality_report  # noqa: E402

FOLDER = ROOT / "reports" / "training"
FOUND = json.loads((FOLDER / "results.json").read_text())
WAYS = FOUND["text"]["ways"]
TRAINING = (ROOT / "docs" / "training.md").read_text().partition("\n## Results\n")[2]


def losses(way: str) -> list[float]:
    return [quality_report.last(run["losses"]) for run in WAYS[way]]


def test_the_page_is_computed_from_the_numbers() -> None:
    page = quality_report.page(FOUND)
    assert (FOLDER / "README.md").read_text() == page
    for name in quality_report.figures(FOUND):
        assert f"({name}.svg)" in page
        assert all((FOLDER / f"{name}.{kind}").stat().st_size > 10_000 for kind in ("png", "svg"))


def test_the_page_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(FOUND))
    quality_report.draw(tmp_path)
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in tmp_path.iterdir()}


def test_losses_are_those_of_nanogpt_and_the_fast_recipe_is_better_in_less_time() -> None:
    """1.9053 after 2000 steps is what nanoGPT itself reached (one seed)."""
    assert all(3 == len(runs) for runs in WAYS.values())
    assert mean(losses("plain")) == pytest.approx(1.9053, abs=0.02)
    assert max(mean(losses("bfloat16")), mean(losses("float32"))) <= 1.91
    assert mean(losses("fast")) <= 1.71
    assert mean(losses("bfloat16")) == pytest.approx(mean(losses("float32")), abs=0.01)
    for plain, fast in zip(WAYS["plain"], WAYS["fast"], strict=True):
        assert fast["seconds"] <= plain["seconds"]


def test_no_loss_on_the_dialogue_is_below_its_entropy() -> None:
    floor = FOUND["dialogue"]["entropy_bits"] * 0.693147
    assert all(loss > floor for run in ("dialogue", "adam") for _, loss in quality_report.evaluated(FOUND[run]))


def test_the_documentation_shows_rows_of_the_page() -> None:
    page = set((FOLDER / "README.md").read_text().splitlines())
    shown = [line for line in TRAINING.splitlines() if "shapeviz --preset fast |" in line or "plain loop," in line]
    assert 2 == len(shown)
    assert set(shown) <= page
