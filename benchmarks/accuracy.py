"""Parameters, active parameters and KV-cache bytes of the bundled models, by shapeviz and by what pip offers beside it.

    python benchmarks/accuracy.py [--json FILE] [--every 8] [--rounds 3]

Expected are the published figures (`params`, `active`, `kv_cache` of shapeviz/published/*.json). Our tests already hold
shapeviz to them, and transformers agrees with them, so these two rows can only be right: the others are the question.
The two models of the paper are left out, as they have no config.json. Needs, after `pip install .` in the clone and in
a virtual environment of its own (a peer that is missing is listed as such):

    pip install torch==2.13.0 transformers==5.23.0 accelerate torchinfo fvcore ptflops ultralytics-thop calflops
    pip install deepspeed pytorch-lightning hf-vram-calc vramcalc llmviz llm-flops llm-mem-planner hf-mem kvfit
    pip install fire httpx diskcache platformdirs && pip install --no-deps llm-analysis llm-cal  # no old transformers

How the peers are asked (peers.py): those that read a module get the class that the bundled file names, built by
transformers on the meta device and tied as the file says; those that run it get 8 tokens, eager attention and experts
as one batch, as with the defaults they fail. Those that read a configuration get it twice, as bundled and with every
key that transformers adds, and the answer nearer to the published figure counts. Time is from a configuration to the
number, in one warm process, building the module included: of every 8th model, all peers in turn, round by round; the
median of the rounds, then of the models, and the same of the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import platform
import sys
import tempfile
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from textwrap import shorten
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="critical", DS_ACCELERATOR="cpu")

from peers import PEERS, QUANTITIES, Ask, Form, Peer, built

from shapeviz import published

Answers = dict[str, dict[str, Any]]


def asked(ask: Ask, given: Any) -> tuple[Any, float]:
    """An answer, or the error's first line, and the seconds it took; what a peer prints is dropped."""
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            answer = ask(given) or "no answer"
    except (Exception, SystemExit) as error:
        answer = shorten(f"{type(error).__name__}: {error}", 160, placeholder=" …")
    return answer, time.perf_counter() - start


def error_of(answer: Any, expected: int) -> float:
    return float("inf") if isinstance(answer, str) else answer / expected - 1


def answer(peer: Peer, quantity: str, form: Form) -> tuple[Any, float]:
    """A peer's answer for a configuration, and the seconds from the one to the other."""
    ask = peer.asks[quantity]
    return asked(ask if peer.reads == "config" else lambda f: ask(built(f.data, peer.reads == "run")), form)


def nearest(peer: Peer, quantity: str, forms: list[Form], expected: int) -> Any:
    """A peer's answer, of its two the nearer one if it reads the configuration itself."""
    both = forms if peer.reads == "config" and peer.package != "shapeviz" else forms[:1]
    return min((answer(peer, quantity, form)[0] for form in both), key=lambda found: abs(error_of(found, expected)))


def forms_of(name: str, entry: dict[str, Any]) -> list[Form]:
    """A configuration as bundled, and with every key, each in a folder."""
    from transformers import CONFIG_MAPPING

    data = {**entry["config"], "architectures": [entry["class"]]}
    whole = CONFIG_MAPPING[data["model_type"]](**{k: v for k, v in data.items() if k != "model_type"}).to_dict()
    forms = [Form(data, f"bundled/{name}"), Form({**whole, **data}, f"whole/{name}")]
    for form in forms:
        Path(form.folder).mkdir(parents=True)
        (Path(form.folder) / "config.json").write_text(json.dumps(form.data))
    return forms


def table(quantity: str, found: Answers, expected: dict[str, int], times: dict[str, tuple[float, float]]) -> None:
    print(f"\n### {QUANTITIES[quantity]}: {len(expected)} models\n")
    print("| | exact | within 1 % | wrong | fails | worst | needs torch |" + " ms a model | ÷ shapeviz |" * bool(times))
    print("|---|--:|--:|--:|--:|---|---|" + "--:|--:|" * bool(times))
    for who, answers in found.items():
        errors = {name: error_of(answer, expected[name]) for name, answer in answers.items()}
        sizes = {name: error for name, error in errors.items() if error != float("inf")}
        small = sum(0 < abs(error) <= 0.01 for error in sizes.values())
        exact, worst = sum(error == 0 for error in sizes.values()), max(sizes, key=lambda n: abs(sizes[n]), default="")
        said = f"{100 * sizes[worst]:+.4g} %, {worst}" if worst and sizes[worst] else "–"
        speed = "".join(f" {n:.0f} |" if n >= 10 else f" {n:.2g} |" for n in times[who]) if times else ""
        counts = f"{exact} | {small} | {len(sizes) - exact - small} | {len(errors) - len(sizes)}"
        print(f"| {who} | {counts} | {said} | {'yes' if PEERS[who].torch else 'no'} |{speed}")
    for who, answers in found.items():
        if failed := {name: answer for name, answer in answers.items() if isinstance(answer, str)}:
            print(f"\n{who} fails first on {next(iter(failed))}: `{next(iter(failed.values()))}`")


def timed(installed: list[str], forms: dict[str, list[Form]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds from a configuration to its parameters, and how many times as long as shapeviz."""
    seconds: dict[str, list[float]] = {who: [] for who in installed}
    for form, _ in forms.values():
        laps: dict[str, list[float]] = {who: [] for who in installed}
        for lap in range(rounds):
            for who in installed[lap % len(installed) :] + installed[: lap % len(installed)]:
                laps[who].append(answer(PEERS[who], "params", form)[1])
        for who in installed:
            seconds[who].append(median(laps[who]))
    ratios = {who: median(a / b for a, b in zip(seconds[who], seconds["shapeviz"], strict=True)) for who in installed}
    return {who: (1e3 * median(seconds[who]), ratios[who]) for who in installed}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, help="the answers, model by model")
    options.add_argument("--every", type=int, default=8, help="time every so many-th model; 0 times none")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", nargs="*", help="these models alone")
    given = options.parse_args()
    target = given.json and given.json.resolve()
    warnings.simplefilter("ignore")
    logging.disable()
    sys.stdin = io.StringIO()  # one asks for a token where it fails
    versions = {}
    for peer in PEERS.values():
        with contextlib.suppress(PackageNotFoundError):
            versions[peer.package] = version(peer.package)
    installed = [who for who, peer in PEERS.items() if peer.package in versions]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        entries = {name: published.load(name) for name in given.only or published.names()}
        entries = {name: entry for name, entry in entries.items() if entry["config"]["model_type"] != "vaswani"}
        forms = {name: forms_of(name, entry) for name, entry in entries.items() if "params" in entry}
        found: dict[str, Answers] = {quantity: {} for quantity in QUANTITIES}
        for quantity in QUANTITIES:
            for who in [who for who in installed if quantity in PEERS[who].asks]:
                found[quantity][who] = {
                    name: nearest(PEERS[who], quantity, both, entries[name][quantity])
                    for name, both in forms.items()
                    if quantity in entries[name]
                }
                print(quantity, who, file=sys.stderr, flush=True)
        sizers = list(found["params"])
        sample = {name: forms[name] for name in list(forms)[:: given.every]} if given.every else {}
        times = timed(sizers, sample, given.rounds) if sample else {}
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, torch {version('torch')}, ", end="")
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    print("Not installed:", ", ".join(who for who in PEERS if who not in installed) or "none")
    if times:
        print(f"Timed: {len(sample)} models, {given.rounds} interleaved rounds")
    for quantity in QUANTITIES:
        expected = {name: entries[name][quantity] for name in forms if quantity in entries[name]}
        table(quantity, found[quantity], expected, times if quantity == "params" else {})
    if target:
        detail = {name: {q: entries[name][q] for q in QUANTITIES if q in entries[name]} for name in forms}
        target.write_text(json.dumps({"versions": versions, "published": detail, "found": found}, indent=1))


if __name__ == "__main__":
    main()
