"""Cold start of `shapeviz params`, interleaved with importing torch, torchinfo, and the smallest typer program; and all
bundled models measured in one process, its start included.

    python benchmarks/cold_start.py [RUNS]

Prints medians of wall time and peak memory, and the ratio to `import torch`, run by run.
"""

from __future__ import annotations

import json
import os
import pty
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from shapeviz import published

PYTHON = sys.executable
SHAPEVIZ = [PYTHON, "-m", "shapeviz", "params"]
FLOOR = "import typer; a = typer.Typer(add_completion=False, rich_markup_mode=None); a.command()(lambda: print(1)); a()"
ALL = (
    "import shapeviz as s; from shapeviz import published as p; "
    "[s.measure(s.read(name), ['params']).total['params'].value for name in p.names()]"
)
COMMANDS = {
    "import torch": ([PYTHON, "-c", "import torch"], False),
    "import torchinfo": ([PYTHON, "-c", "import torchinfo"], False),
    "typer, one line": ([PYTHON, "-c", FLOOR], False),
    "shapeviz params --json": ([*SHAPEVIZ, "--json"], False),
    "shapeviz params config.json --json": ([*SHAPEVIZ, "config.json", "--json"], False),
    "shapeviz params, piped": (SHAPEVIZ, False),
    "shapeviz params (terminal)": (SHAPEVIZ, True),
    "shapeviz params --enc 1000000 --json": ([*SHAPEVIZ, "--enc", "1000000", "--json"], False),
    f"all {len(published.names())} bundled models": ([PYTHON, "-c", ALL], False),
}


def run(command: list[str], terminal: bool) -> tuple[float, float]:
    """Wall seconds and peak MiB of one run, its output read to the end."""
    start = time.perf_counter()
    pid, out = pty.fork() if terminal else _piped()
    if pid == 0:
        os.execv(command[0], command)
    _drain(out)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def _piped() -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.close(read)
    os.close(write)
    return pid, read


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:  # a terminal that is closed says so by an error
        pass
    os.close(descriptor)


def main(runs: int = 11) -> None:
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    Path("config.json").write_text(json.dumps(published.load("llama-3-8b")["config"]))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, (command, terminal) in COMMANDS.items():
            result = run(command, terminal)
            if number:  # the first round fills the file cache
                found[name].append(result)
    torch = [seconds for seconds, _ in found["import torch"]]
    print(f"{'command':38}{'wall ms':>9}{'MiB':>7}{'/ import torch':>16}")
    for name, results in found.items():
        ratio = median(seconds / other for (seconds, _), other in zip(results, torch, strict=True))
        wall, peak = median(seconds for seconds, _ in results), median(size for _, size in results)
        print(f"{name:38}{wall * 1000:9.0f}{peak:7.0f}{ratio:16.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
