"""Runs beside each other: how far each has come, in units that can be compared, what differs, and all curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeviz import files
from shapeviz.errors import InputError
from shapeviz.train import plot
from shapeviz.train.bits import Coding, perplexity
from shapeviz.train.folder import read_json, stored
from shapeviz.train.log import Line, Log
from shapeviz.train.recipe import flag

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1F2328")  # Okabe and Ito 2008
STYLES = ("-", "--", ":", "-.")
KINDS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Past:
    """A run as its folder tells it: recipe and data as JSON, the lines of its log, what its tokens mean."""

    folder: Path
    recipe: dict[str, Any]
    data: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def coding(self) -> Coding:
        """What a token means; of runs before it was written down it is known for characters and bytes alone."""
        data = self.data
        lossless = data.get("lossless", self.recipe.get("tokenizer") in ("char", "bpe"))
        return Coding(data["characters_a_token"], data.get("hidden_bits", 0.0), data.get("unknown", 0.0), lossless)

    @property
    def best(self) -> Line | None:
        """The line of the lowest validation loss."""
        return plot.best(self.lines)


def read(folder: Path) -> Past:
    """The run in a folder. Raises InputError if there is none, or it is damaged."""
    recipe = stored(folder, "the run").plain()
    data = read_json(folder / "data.json", "the data of a run")
    if not isinstance(data, dict) or not isinstance(data.get("characters_a_token"), int | float):
        raise InputError(f"{folder / 'data.json'} does not describe the text of a run")
    return Past(folder, recipe, data, tuple(Log.read(folder)))


def entries(runs: Sequence[Past]) -> list[dict[str, object]]:
    """For each run its last step and its best loss, and the options in which it differs from others."""
    names = [name for name in runs[0].recipe if name != "preset"]
    differ = [name for name in names if len({repr(run.recipe[name]) for run in runs}) > 1]
    found: list[dict[str, object]] = []
    for run in runs:
        best = run.best
        loss = None if best is None else float(best["val_loss"])
        found.append({
            "run": str(run.folder), "step": run.lines[-1]["step"] if run.lines else 0,
            "best_step": None if best is None else best["step"], "loss": _rounded(loss),
            "perplexity": None if loss is None else _rounded(perplexity(loss)),
            "bits_per_character": None if loss is None else _rounded(run.coding.bits(loss)),
            "differs": " ".join(f"{flag(name)} {_shown(run.recipe[name])}" for name in differ) or None,
        })  # fmt: skip
    return found


def notes(runs: Sequence[Past]) -> list[str]:
    """What is to be known before losses are compared."""
    found = []
    if len({run.data.get("sha256") for run in runs}) > 1:
        found.append("the runs have different texts: no loss of one can be compared with another's")
    elif not comparable(runs):
        found.append("their tokens differ: bits per character can be compared, losses and perplexities cannot")
    return found


def comparable(runs: Sequence[Past]) -> bool:
    """Whether a token of one is a token of the other, as far as can be told."""
    return len({(run.data.get("vocabulary"), run.data["characters_a_token"]) for run in runs}) == 1


def draw(path: Path, runs: Sequence[Past]) -> None:
    """Writes the validation losses of all runs over their steps: nats per token, or bits per character if their tokens
    differ. Raises InputError for another suffix than those of KINDS, or a file that cannot be written.
    """
    if path.suffix not in KINDS:
        raise InputError(f"--plot {path}: a name that ends in {', '.join(KINDS)} is needed")
    nats = comparable(runs)

    def fill(figure: Any) -> None:
        axis = figure.subplots()
        for number, run in enumerate(runs):
            colour, style = COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
            points = plot.curve(run.lines, "val_loss")
            if not nats:
                points = [(x, bits) for x, y in points if (bits := run.coding.bits(y)) is not None]
            label = str(run.folder)
            if best := run.best:
                value = best["val_loss"] if nats else run.coding.bits(best["val_loss"])
                label += "" if value is None else f": {value:.4f} at step {best['step']:,}"
            axis.plot([x for x, _ in points], [y for _, y in points], style, color=colour, linewidth=1.6, marker="o",
                      markersize=2.5, label=label.replace("$", r"\$").lstrip("_"))  # fmt: skip
        axis.set_xlabel("step")
        axis.set_ylabel("validation loss, nats per token" if nats else "validation loss, bits per character")
        axis.spines["right"].set_visible(False)
        axis.legend(frameon=False, fontsize=9)

    files.write(path, plot.pictures(fill, (path.suffix[1:],))[path.suffix[1:]])


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _shown(value: object) -> str:
    if value in (None, ()) or value == []:
        return "–"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
