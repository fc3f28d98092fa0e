"""The page and the figures of `benchmarks/quality.py`, from its results.json: all its figures are computed here."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

NAMES = {
    "plain": ("plain loop, float32", "#6E7781"),
    "float32": ("shapeviz, float32", "#0072B2"),
    "bfloat16": ("shapeviz, bfloat16", "#56B4E9"),
    "fast": ("shapeviz --preset fast", "#D55E00"),
}
ADAMW, ADAM, FLOOR = "#0072B2", "#D55E00", "#009E73"
Points = Sequence[tuple[float, float]]


def page(found: dict[str, Any]) -> str:
    """The page in Markdown; parts that were not measured are left out."""
    parts = ["# The trainer, measured", INTRODUCTION.format(**found["environment"])]
    if "text" in found:
        parts += _text(found["text"])
    for key in ("dialogue", "csv"):
        if key in found:
            parts += _recipe(key, found[key])
    if "adam" in found:
        parts += _optimizers(found["dialogue"], found["adam"])
    if "temperatures" in found:
        parts += _temperatures(found["temperatures"])
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """\
Made by `python benchmarks/quality.py --text shakespeare.txt --csv friends.csv -o reports/training` with torch {torch}
on {cores} cores ({instructions}, {threads} threads); all numbers are in [results.json](results.json). Losses
are in nats a character, over the whole validation split unless said otherwise."""


def _text(text: dict[str, Any]) -> list[str]:
    ways, steps = text["ways"], text["steps"]
    losses = {way: [last(one["losses"]) for one in runs] for way, runs in ways.items()}
    plain = ways["plain"]
    rows = []
    for way, runs in ways.items():
        ratio = median(base["ms"] / one["ms"] for base, one in zip(plain, runs, strict=True))
        rows.append([
            NAMES[way][0], f"{mean(losses[way]):.4f}", ", ".join(f"{loss:.4f}" for loss in losses[way]),
            f"{median(one['seconds'] for one in runs):.1f}", f"{median(one['ms'] for one in runs):.1f}", f"{ratio:.2f}",
        ])  # fmt: skip
    names = ["", "mean loss", "by seed", "training, s", "ms a step", "times plain"]
    apart = abs(mean(losses["bfloat16"]) - mean(losses["float32"]))
    passed = [crossing(one["losses"], last(base["losses"])) for base, one in zip(plain, ways["fast"], strict=True)]
    return [
        f"## {steps:,} steps on {text['name']}",
        "4 layers, 4 heads, width 128, 12 windows of 64 characters a step, no dropout: the small model of nanoGPT's "
        f"README, {plain[0]['params']:,} parameters; {len(plain)} seeds, each way in its own process, interleaved. "
        "The first three follow one recipe, AdamW with a cosine from 1e-3 to 1e-4 after 100 steps of warm-up, "
        "as nanoGPT's; the plain loop is written in its manner.",
        grid(names, rows),
        f"Means of bfloat16 and float32 differ by {apart:.4f}. `--preset fast` is below the plain loop's last loss at "
        f"step {max(passed):,} in every seed.",
        "![losses](text.svg)",
    ]  # fmt: skip


def _recipe(key: str, run: dict[str, Any]) -> list[str]:
    evaluations = [line for line in run["log"] if line["val_loss"] is not None]
    final = evaluations[-1]
    bits, apart = final["val_loss"] / log(2), [line["val_batch_loss"] - line["val_loss"] for line in evaluations[1:]]
    what = "the bundled dialogue" if key == "dialogue" else run["name"]
    text = (
        f"{run['characters']:,} characters in {run['rows']:,} rows. After {final['step']:,} steps of AdamW with "
        f"CosineAnnealingLR (eta_max 0.001, T_max 5000) the loss is {final['val_loss']:.4f}, {bits:.4f} bits a "
        "character"
    )
    if run["entropy_bits"]:
        text += (
            f"; its source has {run['entropy_bits']:.4f}, so that {bits - run['entropy_bits']:.4f} are left to learn"
        )
    text += (
        ". One random validation batch, as the report evaluated, is off the whole split's loss by a standard "
        f"deviation of {stdev(apart):.3f}."
    )
    return [f"## The founding report's recipe on {what}", text, f"![losses]({key}.svg)"]


def _optimizers(adamw: dict[str, Any], adam: dict[str, Any]) -> list[str]:
    curves = {"AdamW": evaluated(adamw), "Adam": evaluated(adam)}
    steps = [step for step, _ in curves["AdamW"]][1:]
    shown = [steps[round(i * (len(steps) - 1) / 4)] for i in range(5)]
    rows = []
    for (name, points), run in zip(curves.items(), (adamw, adam), strict=True):
        losses = dict(points)
        rows.append([name, *(f"{losses[step]:.4f}" for step in shown), f"{run['norm']:.1f}"])
    return [
        "## AdamW and Adam",
        "The same run with `--optimizer adam`, both with a weight decay of 0.01. AdamW shrinks weights by lr · 0.01 "
        "of themselves a step (Loshchilov and Hutter 2019, algorithm 2); Adam has 0.01 · w in the gradient, where it "
        "is divided by the root of the second moment: weights with small gradients are then pulled to 0 much "
        "harder.",
        grid(["loss at step", *(f"{step:,}" for step in shown), "norm of all matrices"], rows),
        "![losses](optimizers.svg)",
    ]  # fmt: skip


def _temperatures(rows: Sequence[dict[str, Any]]) -> list[str]:
    shown = [
        ["the text itself" if row["temperature"] is None else f"{row['temperature']:g}",
         "–" if row["entropy"] is None else f"{row['entropy']:.3f}", f"{row['surprise']:.3f}",
         *("–" if row[key] is None else f"{row[key]:.1%}" for key in ("known", "distinct"))]
        for row in rows
    ]  # fmt: skip
    names = ["temperature", "entropy, bits/character", "surprise, bits/character", "known words", "different words"]
    return [
        "## Temperature",
        "512 windows of the dialogue's validation text, whose second halves the model (best checkpoint) samples after "
        "their first. Entropy is that of the distributions sampled from. Surprise is what the model, at temperature 1, "
        "pays for what was sampled: at 1 both agree but for chance, below it the text is likelier than real text is, "
        "above it less likely. Known words are those of the training part.",
        grid(names, shown),
    ]  # fmt: skip


def grid(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    rule = ["---", *["---:"] * (len(names) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [names, rule, *rows])


def last(losses: dict[str, float]) -> float:
    """The loss of the last step."""
    return losses[max(losses, key=int)]


def crossing(losses: dict[str, float], level: float) -> int:
    """The first evaluated step at which a loss is no higher than a level."""
    return min(int(step) for step, loss in losses.items() if loss <= level)


def evaluated(run: dict[str, Any]) -> list[tuple[int, float]]:
    """(step, loss on the validation split)."""
    return [(line["step"], line["val_loss"]) for line in run["log"] if line["val_loss"] is not None]


def draw(folder: Path) -> None:
    """Writes README.md and the figures from results.json."""
    from shapeviz.files import write_all

    found = json.loads((folder / "results.json").read_text())
    contents: dict[Path, str | bytes] = {folder / "README.md": page(found)}
    for name, (title, curves, floor) in figures(found).items():
        for kind, data in _figure(title, curves, floor).items():
            contents[folder / f"{name}.{kind}"] = data
    write_all(contents)


Curve = tuple[str, str, Points, float]


def figures(found: dict[str, Any]) -> dict[str, tuple[str, list[Curve], float | None]]:
    """Figures by name: title, curves (label, colour, points, width), a floor in nats."""
    done: dict[str, tuple[str, list[Curve], float | None]] = {}
    if "text" in found:
        curves = [
            (label if i == 0 else "", colour, sorted((int(step), loss) for step, loss in run["losses"].items()), 1.4)
            for way, (label, colour) in NAMES.items()
            for i, run in enumerate(found["text"]["ways"][way])
        ]
        curves = [(*curve[:2], [point for point in curve[2] if point[0]], 1.4) for curve in curves]
        done["text"] = (f"Validation loss on {found['text']['name']}, every seed", curves, None)
    for key, title in (("dialogue", "the bundled dialogue"), ("csv", found.get("csv", {}).get("name", ""))):
        if key in found:
            run = found[key]
            training = [(line["step"], line["train_loss"]) for line in run["log"] if line["train_loss"] is not None]
            batch = [
                (line["step"], line["val_batch_loss"]) for line in run["log"] if line["val_batch_loss"] is not None
            ]
            floor = run["entropy_bits"] * log(2) if run["entropy_bits"] else None
            done[key] = (f"The report's recipe on {title}", [
                ("training", "#9CC9E8", training, 0.7), ("one validation batch", "#E69F00", batch[1:], 1.0),
                ("validation", ADAM, evaluated(run)[1:], 1.8),
            ], floor)  # fmt: skip
    if "adam" in found:
        pairs = (("AdamW", ADAMW, found["dialogue"]), ("Adam", ADAM, found["adam"]))
        curves = [(name, colour, evaluated(run)[1:], 1.8) for name, colour, run in pairs]
        done["optimizers"] = ("Validation loss on the bundled dialogue, weight decay 0.01", curves, None)
    return done


def _figure(title: str, curves: Sequence[Curve], floor: float | None) -> dict[str, bytes]:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from shapeviz.train.plot import STYLE, thinned

    found = {}
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(8.4, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        axis.spines["right"].set_visible(False)
        for label, colour, points, width in curves:
            xs, ys = zip(*thinned(points), strict=True)
            axis.plot(
                xs, ys, color=colour, linewidth=width, label=label or None, marker="o" * (len(xs) < 30), markersize=3
            )
        if floor is not None:
            axis.axhline(floor, color=FLOOR, linestyle="--", linewidth=1.2, label=f"entropy of the source, {floor:.4f}")
        axis.set_xlabel("step")
        axis.set_ylabel("loss, nats a character")
        axis.set_xlim(left=0)
        if floor is not None:
            axis.set_ylim(bottom=0)
        axis.set_title(title, loc="left", fontweight="bold", fontsize=12)
        axis.legend(frameon=False)
        for kind in ("png", "svg"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
            found[kind] = buffer.getvalue()
    return found
