"""What takes long says so on standard error, and what does not says nothing."""

from threading import Event

import pytest

from shapeviz.cli import _frame
from shapeviz.cli._frame import progress


def test_a_line_comes_once_somebody_has_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Event()
    lines: list[str] = []
    monkeypatch.setattr(_frame, "say", lambda text: (lines.append(text), said.set()))
    with progress("proving …", after=0):
        assert said.wait(timeout=60)
    assert ["proving …"] == lines


def test_what_is_done_in_time_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("proving …", after=3600):
        pass
    assert capsys.readouterr().err == ""
