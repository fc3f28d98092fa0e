"""How a run is coming along, on standard error: a rich bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from math import isnan
from typing import Any

PAUSE = 1.0
"""Seconds between two plain lines at least."""


class Progress:
    """Steps done of `total`, beginning at `start` (a resumed run), with loss, learning rate, tokens/s and time left.

    `terminal` draws a bar (NO_COLOR is honoured by rich); without it there is a plain line at most once a second, and
    for the last step. `say` prints a text beside it, which a bar would otherwise overwrite. Usable in a `with`.
    """

    def __init__(self, total: int, terminal: bool, start: int = 0) -> None:
        self.total, self.start = total, start
        self._began = self._written = time.monotonic()
        self._first = True
        self._val_loss: float | None = None
        self._bar: Any = _bar(total, start) if terminal else None

    def begin(self) -> None:
        """The time left is reckoned from here on."""
        self._began = time.monotonic()

    def show(self, step: int, loss: float, lr: float, tokens_per_second: float, val_loss: float | None = None) -> None:
        """Shows a step: losses in nats per token."""
        if self._bar is not None:
            self._val_loss = self._val_loss if val_loss is None else val_loss
            text = f"{_losses(loss, self._val_loss)} lr {lr:.1e}{_rate(' ', tokens_per_second)}"
            self._bar.update(self._bar.task_ids[0], completed=step, figures=text)
            return
        now = time.monotonic()
        if self._first or now - self._written >= PAUSE or step >= self.total or val_loss is not None:
            self._first, self._written = False, now
            rates = f"lr {lr:.2e}{_rate(', ', tokens_per_second)}{self._left(step, now)}"
            self._print(f"step {step:>{len(str(self.total))}}/{self.total}: {_losses(loss, val_loss)}, {rates}")

    def say(self, text: str) -> None:
        """Prints a text above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._print(text)

    def close(self) -> None:
        """Ends the bar; it stays on the screen."""
        if self._bar is not None:
            self._bar.stop()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _left(self, step: int, now: float) -> str:
        if step <= self.start or step >= self.total:
            return ""
        seconds = (now - self._began) / (step - self.start) * (self.total - step)
        return f", {clock(seconds)} left"

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _rate(before: str, tokens_per_second: float) -> str:
    """Nothing where no step was timed."""
    return "" if isnan(tokens_per_second) else f"{before}{tokens_per_second:,.0f} tokens/s"


def _losses(loss: float, val_loss: float | None) -> str:
    return f"loss {loss:.4f}" + (f" val {val_loss:.4f}" if val_loss is not None else "")


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    >>> clock(7), clock(754.6), clock(36061)
    ('0:07', '12:35', '10:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(total: int, start: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        redirect_stdout=False,
    )
    bar.add_task("", total=total, completed=start, figures="")
    bar.start()
    return bar
