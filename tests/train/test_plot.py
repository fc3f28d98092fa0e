"""The loss plot: both files or none, the numbers in them, the same bytes from the same log."""

import math
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shapeviz.errors import InputError
from shapeviz.train import plot
from shapeviz.train.log import Log

PNG = b"\x89PNG\r\n\x1a\n"


def run_folder(folder: Path, steps: int = 500, name: str = "friends") -> Path:
    """A run whose validation loss is lowest, 1.5, at three quarters of its steps."""
    path = folder / name
    path.mkdir()
    log = Log(path)
    for step in range(0, steps + 1, 10):
        val_loss = 1.5 + ((step - 0.75 * steps) / steps) ** 2 if step % (steps // 20) == 0 else None
        log.add(step=step, train_loss=1.4 + 3 * math.exp(-step / 100), val_loss=val_loss, lr=1e-3 * (1 - step / steps))
    log.close()
    return path


def text_of(svg: Path) -> str:
    """Every text of the figure; matplotlib writes each as a comment beside its outline."""
    return svg.read_text()


def test_both_files_are_written_and_the_svg_tells_the_best_loss_and_the_floor(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1000)
    plot.draw(folder, entropy_bits=1.25, chars_per_token=2.0)
    assert (folder / "loss.png").read_bytes().startswith(PNG)
    text = text_of(folder / "loss.svg")
    # 1.5 / (2 ln 2) = 1.0820 bits per character
    assert "best: 1.5000 nats = 1.082 bits, step 750" in text
    # 1.25 · 2 ln 2 = 1.7329
    assert "entropy of the source: 1.733 nats per token = 1.250 bits per character" in text
    for word in ("friends", "training", "validation", "loss, nats per token", "bits per character", "rate", "step"):
        assert f"<!-- {word}" in text
    assert {"log.jsonl", "loss.png", "loss.svg"} == {path.name for path in folder.iterdir()}


def test_without_a_known_entropy_there_is_no_floor(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    plot.draw(folder, None, 1.0)
    assert "entropy" not in text_of(folder / "loss.svg")


def test_the_loss_on_one_batch_is_shown_where_it_was_taken(tmp_path: Path) -> None:
    Log(tmp_path).add(step=500, val_loss=2.1, val_batch_loss=2.25)
    plot.draw(tmp_path, None, 1.0)
    assert "<!-- one validation batch -->" in text_of(tmp_path / "loss.svg")


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    plot.draw(folder, 1.2, 1.0)
    before = [(folder / name).read_bytes() for name in ("loss.png", "loss.svg")]
    plot.draw(folder, 1.2, 1.0)
    assert before == [(folder / name).read_bytes() for name in ("loss.png", "loss.svg")]


@pytest.mark.parametrize("lines", [[], [{"step": 0, "val_loss": 4.2}], [{"step": 0, "train_loss": 4.2, "lr": 0.0}]])
def test_a_run_that_has_hardly_begun_is_drawn_too(tmp_path: Path, lines: list[dict[str, float]]) -> None:
    log = Log(tmp_path)
    for line in lines:
        log.add(**line)  # type: ignore[arg-type]
    plot.draw(tmp_path, 1.2, 1.0)
    assert ("no step logged yet" in text_of(tmp_path / "loss.svg")) is not bool(lines)


def test_a_folder_may_have_any_name_and_dollars_in_it_are_no_formula(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder = run_folder(tmp_path, name="$x_2^$ -- & <run> 漢字")
    plot.draw(folder, None, 1.0)
    assert "$x_2^$" in text_of(folder / "loss.svg")
    assert [] == recwarn.list
    ElementTree.parse(folder / "loss.svg")  # a comment may not hold two hyphens


def test_a_folder_that_is_not_there_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*loss\.png"):
        plot.draw(tmp_path / "nowhere", None, 1.0)
    assert [] == list(tmp_path.iterdir())


def test_the_settings_of_the_callers_matplotlib_stay(tmp_path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 23.0}):
        before = dict(mpl.rcParams)
        plot.draw(run_folder(tmp_path), 1.2, 1.0)
        assert before == dict(mpl.rcParams)


def test_the_best_is_the_first_of_the_lowest() -> None:
    lines = [{"step": s, "val_loss": v} for s, v in [(0, 4.0), (10, None), (20, 1.5), (30, 1.6), (40, 1.5)]]
    assert {"step": 20, "val_loss": 1.5} == plot.best(lines)
    assert plot.best([{"step": 0, "val_loss": None}, {"step": 1}]) is None


def test_a_long_curve_is_thinned_without_moving_its_mean_or_ends() -> None:
    points = [(float(step), float(step % 7)) for step in range(10_002)]
    thin = plot.thinned(points, 402)
    assert 402 == len(thin)
    assert (points[0], points[-1]) == (thin[0], thin[-1])
    inner = [y for _, y in points[1:-1]]
    assert sum(inner) / len(inner) == pytest.approx(sum(y for _, y in thin[1:-1]) / 400)


def test_reading_and_drawing_need_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; import shapeviz.train.log, shapeviz.train.progress, shapeviz.train.plot, shapeviz.train.summary;"
        "heavy = lambda *names: [name for name in names if name in sys.modules];"
        "print(heavy('torch', 'numpy', 'matplotlib', 'rich', 'tokenizers'));"
        "shapeviz.train.plot.draw(sys.argv[1], 1.2, 1.0); print(heavy('torch', 'matplotlib.pyplot'))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "[]\n[]\n" == done.stdout
