"""Which tests are slow, and in which order files run: by the CPU seconds of their functions, which a run may record."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

SHORTEST = 0.05  # seconds that are worth recording
QUICK = 0.1  # of such a function all cases run with -m "not slow", of a longer one the first case alone
LONG = 1.0  # of such a function not even that


def function(nodeid: str) -> str:
    """The name of a test without its parameters."""
    return nodeid.partition("[")[0]


def slow(names: Sequence[str], seconds: Mapping[str, float]) -> list[bool]:
    """Which of the cases, by the names of their functions, are left out by -m "not slow"."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        cost = seconds.get(name, 0)
        found.append(cost > LONG or (cost > QUICK and seen[name] > 0))
        seen[name] += 1
    return found


def longest_first(names: Sequence[str], seconds: Mapping[str, float]) -> list[int]:
    """The order of the cases: files by their seconds, as a whole, since the tests of a file share what is built."""
    files: Counter[str] = Counter()
    for name in names:
        files[name.partition("::")[0]] += seconds.get(name, 0)
    return sorted(range(len(names)), key=lambda i: (-files[names[i].partition("::")[0]], i))


class Record:
    """CPU seconds of tests, their child processes and fixtures included: of a function, those of a case on average."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.began = config, 0.0
        self.seconds: Counter[str] = Counter()
        self.cases: Counter[str] = Counter()

    @staticmethod
    def now() -> float:
        return sum(os.times()[:4])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self.began = self.now()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.when == "teardown":
            item.user_properties.append(("cpu", self.now() - self.began))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            name = function(report.nodeid)
            self.seconds[name] += dict(report.user_properties).get("cpu", 0)
            self.cases[name] += 1

    def pytest_sessionfinish(self) -> None:
        if not hasattr(self.config, "workerinput"):  # the workers send their reports to the process that writes
            each = {name: self.seconds[name] / self.cases[name] for name in sorted(self.seconds)}
            longer = {name: round(cost, 2) for name, cost in each.items() if cost >= SHORTEST}
            Path(self.config.getoption("record")).write_text(json.dumps(longer, indent=0) + "\n")
