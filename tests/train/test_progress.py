"""Progress on standard error: a bar in a terminal, plain lines elsewhere."""

import io
import re

import pytest

from shapeviz.train import progress
from shapeviz.train.progress import Progress


def test_plain_lines_tell_step_losses_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2000, terminal=False) as shown:
        shown.show(500, 2.31234, 1e-3, 17_600.4)
        shown.show(2000, 1.9053, 1e-4, 20_000, val_loss=1.91)
    captured = capsys.readouterr()
    first, last = captured.err.splitlines()
    assert re.fullmatch(
        r"step  500/2000: loss 2\.3123, lr 1\.00e-03, 17,600 tokens/s, \d:\d\d left", first
    )  # fmt: skip
    assert "step 2000/2000: loss 1.9053 val 1.9100, lr 1.00e-04, 20,000 tokens/s" == last
    assert "" == captured.out


def test_time_left_counts_only_the_steps_of_this_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([100.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    Progress(2000, terminal=False, start=1000).show(1100, 2.0, 1e-3, 1.0)
    # 10 s for 100 steps: 900 more take 90 s
    assert "1:30 left" in capsys.readouterr().err


def test_plain_lines_come_at_most_once_a_second_but_evaluations_and_the_end_always(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    shown = Progress(100, terminal=False)
    for step in range(0, 101, 10):
        shown.show(step, 2.0, 1e-3, 1.0, val_loss=2.1 if step == 50 else None)
        seconds += 0.4
    steps = [int(line.split("/")[0].split()[1]) for line in capsys.readouterr().err.splitlines()]
    # seconds 0, 1.2, (evaluation) 2.0, 3.2, (end) 4.0
    assert [0, 30, 50, 80, 100] == steps


def test_a_bar_fits_80_columns_and_texts_are_printed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    with Progress(20_000, terminal=True, start=100) as shown:
        shown.show(10_000, 2.31, 1e-3, 17_600, val_loss=2.4)
        shown.show(20_000, 2.21, 1e-4, 17_600)
        shown.say("Anna: [bold]no markup[/bold]")
    text = screen.getvalue()
    assert "Anna: [bold]no markup[/bold]" in text
    # the last validation loss stays on the bar
    assert "20000/20000 loss 2.2100 val 2.4000 lr 1.0e-04 17,600 tokens/s" in text
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_text_beside_plain_lines_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(10, terminal=False).say("a sample")
    assert "a sample\n" == capsys.readouterr().err
