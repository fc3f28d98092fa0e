"""What a run was and what came of it: the `report.md` of its folder; the environment it ran in."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shapeviz import files
from shapeviz.page import Cell, Code, Page, Part, Picture, Span, Strong, Table, Text
from shapeviz.renderers import render
from shapeviz.train.bits import Coding, perplexity
from shapeviz.train.expected import LEGEND
from shapeviz.train.log import Line, Log
from shapeviz.train.plot import best

PACKAGES = ("shapeviz", "torch", "numpy", "tokenizers", "matplotlib")
SAMPLED = (
    "Second halves of windows of the validation text, of at most 256 tokens, sampled after the first halves. Entropy "
    "is that of the distributions sampled from; surprise is what the model, at temperature 1, would pay for what was "
    "sampled. Known words are in the training text; different words are the share of those not yet sampled among all "
    "that were."
)
EVALUATIONS = 20
"""Most evaluations shown in the table of a report."""


def environment() -> dict[str, Any]:
    """What bits and speed depend on: versions, the processor and its instructions, threads, devices."""
    import torch

    facts: dict[str, Any] = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            facts[package] = torch.__version__ if package == "torch" else version(package)
        except PackageNotFoundError:
            facts[package] = None
    facts |= {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda,
    }
    return facts


def write(
    folder: Path,
    *,
    recipe: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    outcome: Mapping[str, Any] | None = None,
    samples: Sequence[tuple[str, str]] = (),
    predictions: Iterable[Any] = (),
    temperatures: Iterable[Any] = (),
    machine: Mapping[str, Any] | None = None,
    command: str = "",
    entropy_bits: float | None = None,
    chars_per_token: float = 1.0,
    coding: Coding | None = None,
    evaluated: str = "the validation split",
) -> None:
    """Writes `report.md` of a run folder; what is not given is left out.

    `recipe`, `data` (source, rows, characters, sha256, …) and `outcome` are shown as tables, `samples` are pairs
    (how it was sampled, text), `predictions` have the fields what, formula, substituted, predicted, measured and note,
    `temperatures` those of temperature.Row, `machine` is what `environment` gave, `command` what made the run. Losses
    come from the log, in nats per token, and in bits per character by `coding`, or by `chars_per_token` alone;
    `evaluated` says on what they were taken. Raises InputError if the log cannot be read or the report not be written.
    """
    folder = Path(folder)
    machine = environment() if machine is None else machine
    lines, coding = Log.read(folder), coding or Coding(chars_per_token)
    parts = (
        *([Text(code=command)] if command else []),
        *_result(lines, entropy_bits, coding, evaluated),
        *_pairs("Outcome", outcome or {}),
        *_predictions(predictions),
        *_temperatures(temperatures, "character" if coding.exact else "token"),
        *(Text(f"Sample: {how}", code=_visible(text)) for how, text in samples),
        *_pairs("Data", data or {}),
        *_pairs("Recipe", recipe or {}),
        *_evaluations(lines, coding),
        *_pairs("Environment", machine),
    )
    files.write(folder / "report.md", render(Page(folder.resolve().name, parts), "markdown"))


def _result(lines: Sequence[Line], entropy_bits: float | None, coding: Coding, evaluated: str) -> Iterator[Part]:
    """The best loss in a sentence, and the plot."""
    lowest = best(lines)
    if lowest is None:
        return
    bits, note = coding.bits(lowest["val_loss"]), f" ({coding.note})" if coding.note else ""
    text = f", a perplexity of {_shown(perplexity(lowest['val_loss']))}"
    text += "" if bits is None else f", {bits:.4f} bits per character"
    text += f"{note}, at step {lowest['step']:,}."
    if entropy_bits and bits is not None:
        text += (
            f" The entropy of the source is {entropy_bits:.4f} bits per character: this is {bits - entropy_bits:.4f} "
            f"bits above it, {bits / entropy_bits:.3f} times as much."
        )
    loss = Strong(f"{lowest['val_loss']:.4f} nats per token")
    yield Text(lines=((f"Best loss on {evaluated}: ", loss, text),))
    yield Picture("loss", "loss.svg", minor=True)


def _pairs(title: str, values: Mapping[str, Any]) -> Iterator[Table]:
    rows = tuple(
        (str(name).replace("_", " "), _shown(value)) for name, value in values.items() if value not in (None, [], ())
    )
    if rows:
        yield Table(("", ""), rows, heading=title)


def _predictions(rows: Iterable[Any]) -> Iterator[Part]:
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row.what,
            *(Code(text) if text else "–" for text in (row.formula, row.substituted)),
            _shown(row.predicted),
            _shown(row.measured),
            row.note,
        )
        for row in rows
    )
    if not cells:
        return
    names = ("what", "formula", "with numbers", "predicted", "measured", "")
    yield Table(names, cells, right=frozenset({"predicted", "measured"}), heading="Prediction and measurement")
    letters: list[Span] = []
    for letter, meaning in LEGEND.items():
        letters += [", " if letters else "Letters are those of config.json and: ", Code(letter), f" {meaning}"]
    yield Text(lines=((*letters, "."),))


def _temperatures(rows: Iterable[Any], unit: str) -> Iterator[Part]:
    cells = tuple(
        ("the text itself" if row.temperature is None else f"{row.temperature:g}", _loss(row.entropy),
         _loss(row.surprise), *("–" if share is None else f"{share:.1%}" for share in (row.known, row.distinct)))
        for row in rows
    )  # fmt: skip
    names = ("temperature", f"entropy, bits/{unit}", f"surprise, bits/{unit}", "known words", "different words")
    if cells:
        yield Text("Temperature", (SAMPLED,))
        yield Table(names, cells, right=frozenset(names[1:]))


def _evaluations(lines: Sequence[Line], coding: Coding) -> Iterator[Table]:
    measured = [line for line in lines if line.get("val_loss") is not None]
    # of many, evenly chosen ones with the first and the last
    count = min(len(measured), EVALUATIONS)
    chosen = [measured[round(i * (len(measured) - 1) / max(1, count - 1))] for i in range(count)]
    rows = [
        (
            f"{line['step']:,}", _loss(line.get("train_loss")), _loss(line["val_loss"]),
            _loss(coding.bits(line["val_loss"])), _shown(line.get("lr")), _shown(line.get("tokens_per_second")),
            _loss(line.get("val_batch_loss")),
        )
        for line in chosen
    ]  # fmt: skip
    names = ["step", "training loss", "validation loss", "bits per character", "learning rate", "tokens/s"]
    if any("val_batch_loss" in line for line in chosen):
        names.append("on one batch")
    if rows:
        cells = tuple(row[: len(names)] for row in rows)
        yield Table(tuple(names), cells, right=frozenset(names), heading="Evaluations")


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _shown(value: Any) -> str:
    """A value for a cell: integers in full, other numbers with five significant digits.

    >>> _shown(3756497), _shown(0.000234561), _shown(17654.3), _shown(True), _shown(None), _shown(["a", "b"])
    ('3,756,497', '0.00023456', '17,654', 'yes', '–', 'a, b')
    """
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}" if abs(value) >= 10_000 else str(value)  # no comma in a seed
        case float() if math.isnan(value):
            return "–"
        case float() if math.isfinite(value) and abs(value) >= 1000:
            return f"{value:,.0f}"
        case float():
            return f"{value:.5g}"
        case list() | tuple():
            return ", ".join(map(_shown, value)) or "–"
        case Mapping():
            return ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) or "–"
        case _:
            return str(value)


def _visible(text: str) -> str:
    """A text as it is, its control characters shown as numbers."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _processor() -> str:
    """The processor's name as the system gives it."""
    if sys.platform == "linux":
        try:
            text = Path("/proc/cpuinfo").read_text()
        except OSError:
            text = ""
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
