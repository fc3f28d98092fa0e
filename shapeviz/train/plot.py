"""The curves of a run drawn: losses in nats per token and in bits per character, the learning rate below them."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shapeviz import files
from shapeviz.errors import requiring
from shapeviz.train.bits import Coding
from shapeviz.train.log import Line, Log

TRAIN, VALIDATION, FLOOR, RATE, INK, FAINT = "#0072B2", "#D55E00", "#009E73", "#6E7781", "#1F2328", "#D0D7DE"
POINTS = 400
"""Most points drawn of a curve; a longer one is shown by the means of that many equal parts."""


def draw(
    folder: Path, entropy_bits: float | None = None, chars_per_token: float = 1.0, coding: Coding | None = None
) -> None:
    """Writes `loss.png` and `loss.svg` of a run folder from its log, both or neither.

    `entropy_bits` is the entropy rate of the source in bits per character (None: unknown), drawn as a floor; `coding`
    converts nats per token into bits per character, without one loss / chars_per_token / ln 2.
    Raises MissingToolError without matplotlib, InputError if the log cannot be read or a file not be written.
    """
    folder = Path(folder)
    lines = Log.read(folder)
    found = pictures(
        lambda figure: _fill(figure, folder.resolve().name, lines, entropy_bits, coding or Coding(chars_per_token))
    )
    files.write_all({folder / f"loss.{kind}": content for kind, content in found.items()})


def pictures(fill: Callable[[Any], None], kinds: Sequence[str] = ("png", "svg")) -> dict[str, bytes]:
    """A figure, filled by `fill`, in each kind of file. Raises MissingToolError without matplotlib."""
    with requiring("the loss plot", "matplotlib"):
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    found: dict[str, bytes] = {}
    with mpl.rc_context(), warnings.catch_warnings(action="ignore"):  # a folder's name that the font cannot show
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(8.4, 5.4), layout="constrained")
        FigureCanvasAgg(figure)
        fill(figure)
        for kind in kinds:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
            found[kind] = buffer.getvalue()
    return found


STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#EAEEF2",
    "grid.linewidth": 0.8,
    "xtick.color": RATE,
    "ytick.color": RATE,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "svg.hashsalt": "shapeviz",
}


def best(lines: Sequence[Line]) -> Line | None:
    """The line with the lowest validation loss, the first of equals; None without any."""
    measured = [line for line in lines if line.get("val_loss") is not None]
    return min(measured, key=lambda line: float(line["val_loss"])) if measured else None


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """At most about `most` points: the means of equal parts of a longer curve, whose first and last points stay.

    >>> thinned([(0, 4.0), (1, 3.0), (2, 1.0), (3, 1.0)], 3)
    [(0, 4.0), (1.5, 2.0), (3, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    inner, width = points[1:-1], math.ceil((len(points) - 2) / max(1, most - 2))
    parts = [inner[i : i + width] for i in range(0, len(inner), width)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [points[0], *means, points[-1]]


def smooth(points: Sequence[tuple[float, float]], reach: int) -> list[tuple[float, float]]:
    """The mean of every point and its neighbours, up to `reach` on each side, at the steep start as many on both.

    >>> smooth([(0, 3.0), (1, 0.0), (2, 3.0), (3, 1.0)], 1)
    [(0, 3.0), (1, 2.0), (2, 1.3333333333333333), (3, 2.0)]
    """
    smoothed = []
    for i, (x, _) in enumerate(points):
        near = min(reach, i)
        values = [y for _, y in points[i - near : i + near + 1]]
        smoothed.append((x, sum(values) / len(values)))
    return smoothed


def curve(lines: Sequence[Line], name: str) -> list[tuple[float, float]]:
    """(step, value) of every line that has a value under this name."""
    return [(line["step"], float(line[name])) for line in lines if line.get(name) is not None]


def _fill(figure: Any, title: str, lines: Sequence[Line], entropy_bits: float | None, coding: Coding) -> None:
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[6, 1])
    _losses(top, lines)
    _best(top, lines, coding)
    if coding.lossless:
        if entropy_bits is not None:
            _floor(top, coding.nats(entropy_bits), entropy_bits)
        bits = top.secondary_yaxis("right", functions=(coding.bits, coding.nats))
        bits.set_ylabel("bits per character", color=RATE)
        bits.spines["right"].set_visible(False)
    top.spines["right"].set_visible(False)
    top.set_ylabel("loss, nats per token")
    if top.get_legend_handles_labels()[0]:
        # above the axes, where no curve goes
        legend = top.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=9, borderpad=0, borderaxespad=0.4,
            handlelength=1.6, columnspacing=1.6,
        )  # fmt: skip
        legend.set_in_layout(False)
    top.set_title(title, loc="left", fontweight="bold", fontsize=12, pad=26, parse_math=False)
    _rate(below, lines)
    below.set_xlim(0, 1.02 * max([1, *(line["step"] for line in lines)]))


def _losses(axis: Any, lines: Sequence[Line]) -> None:
    train, validation = thinned(curve(lines, "train_loss")), curve(lines, "val_loss")
    if train:
        noisy = len(train) > 20
        if noisy:
            axis.plot(*zip(*train, strict=True), color=TRAIN, alpha=0.25, linewidth=1)
        shown = smooth(train, len(train) // 40) if noisy else train
        mark = "o" if len(train) == 1 else ""
        axis.plot(*zip(*shown, strict=True), color=TRAIN, linewidth=1.8, marker=mark, label="training")
    if validation:
        mark = "o" if len(validation) <= 60 else ""
        axis.plot(
            *zip(*validation, strict=True), color=VALIDATION, linewidth=1.8, marker=mark, markersize=3.5,
            label="validation", clip_on=False, zorder=3,
        )  # fmt: skip
    if single := curve(lines, "val_batch_loss"):
        axis.plot(*zip(*single, strict=True), "x", color=VALIDATION, markersize=5, label="one validation batch")
    if not train and not validation:
        axis.text(0.5, 0.5, "no step logged yet", transform=axis.transAxes, ha="center", color=RATE)


def _floor(axis: Any, nats: float, bits: float) -> None:
    """The dashed floor, with its words below the line, where no curve goes."""
    axis.axhline(nats, color=FLOOR, linewidth=1.4, linestyle=(0, (5, 3)))
    axis.annotate(
        f"entropy of the source: {nats:.3f} nats per token = {bits:.3f} bits per character",
        (0.01, nats), xycoords=axis.get_yaxis_transform(), xytext=(0, -5), textcoords="offset points", color=FLOOR,
        fontsize=9, va="top",
    )  # fmt: skip
    highest = max(axis.get_ylim()[1], nats * 1.05)
    axis.set_ylim(min(axis.get_ylim()[0], nats - 0.08 * (highest - nats)), highest)


def _best(axis: Any, lines: Sequence[Line], coding: Coding) -> None:
    line = best(lines)
    if line is None:
        return
    step, loss = line["step"], line["val_loss"]
    bits = coding.bits(loss)
    figure = f"{loss:.4f} nats" if bits is None else f"{loss:.4f} nats = {bits:.3f} bits"
    axis.plot(
        [step], [loss], "o", markersize=10, markerfacecolor="none", markeredgecolor=VALIDATION, markeredgewidth=1.8,
        clip_on=False, zorder=4,
        label=f"best: {figure}, step {step:,}",
    )  # fmt: skip


def _rate(axis: Any, lines: Sequence[Line]) -> None:
    rates = curve(lines, "lr")
    if rates:
        axis.fill_between(*zip(*rates, strict=True), color=RATE, alpha=0.15, linewidth=0)
        axis.plot(*zip(*rates, strict=True), color=RATE, linewidth=1.2)
    axis.set_ylim(0, 1.15 * (max([rate for _, rate in rates], default=0) or 1))
    axis.locator_params(axis="y", nbins=2)
    axis.spines["right"].set_visible(False)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
    axis.tick_params(labelsize=9)
    axis.yaxis.get_offset_text().set(fontsize=8, color=RATE)
    axis.set_ylabel("learning\nrate", color=RATE, fontsize=9)
    axis.set_xlabel("step")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.xaxis.set_major_formatter("{x:,.0f}")
