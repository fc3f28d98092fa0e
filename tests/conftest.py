"""How the suite runs: properties on the same examples in every run, long files first, and which tests are slow.

`data/seconds.json` has the CPU seconds of a case of every longer test function. It orders files and marks tests, no
more: a function that is not in it counts as quick, a name that is gone as nothing. `pytest --record FILE` writes it.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # several workers share the cores: threads that wait must not spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings
from suite import Record, function, longest_first, slow

for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):  # what a test prints follows from no terminal
    os.environ.pop(name, None)

settings.register_profile("repeatable", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("repeatable")

SECONDS: dict[str, float] = json.loads((Path(__file__).parent / "data" / "seconds.json").read_text())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [function(item.nodeid) for item in items]
    for item, is_slow in zip(items, slow(names, SECONDS), strict=True):
        if is_slow:
            item.add_marker(pytest.mark.slow)
    items[:] = [items[i] for i in longest_first(names, SECONDS)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker that has nothing left takes over from the end of another's list; else the long files are one's alone."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.option.dist == "load" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", metavar="FILE", help="write the CPU seconds of every longer test function")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("record"):
        config.pluginmanager.register(Record(config))
