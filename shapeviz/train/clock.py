"""Seconds of a run: of its training, for the rates, and of a sitting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import nan


class Clock:
    """Seconds of training, those of evaluations and saves apart, for the rates; and the seconds of the sitting."""

    def __init__(self, step: int) -> None:
        self.began = self.since = time.monotonic()
        self.step = step
        self.laps: list[tuple[int, float]] = []

    def lap(self, step: int, tokens_per_step: int) -> float:
        """Tokens a second since the last lap or `restart`; NaN without a step."""
        steps, seconds = step - self.step, time.monotonic() - self.since
        self.restart(step)
        if steps < 1 or seconds <= 0:
            return nan
        self.laps.append((steps, seconds))
        return steps * tokens_per_step / seconds

    def restart(self, step: int) -> None:
        """Begins a lap here: what was done since the last one is not counted."""
        self.step, self.since = step, time.monotonic()

    def mean(self, tokens_per_step: int) -> float:
        """Tokens a second over all laps but the first, in which much is done once; of one alone; NaN without any."""
        laps = self.laps[1:] or self.laps
        return sum(steps for steps, _ in laps) * tokens_per_step / sum(seconds for _, seconds in laps) if laps else nan

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done meanwhile is not part of the lap."""
        began = time.monotonic()
        yield
        self.since += time.monotonic() - began

    def sitting(self) -> float:
        """Seconds since the last call, or the beginning, whatever they were spent on."""
        began, self.began = self.began, time.monotonic()
        return self.began - began
