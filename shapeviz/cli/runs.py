"""Training runs beside each other: best losses, in what the runs differ, and all curves in one plot."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.cli._output import check_targets, emit, keep_what_is_read
from shapeviz.errors import InputError
from shapeviz.page.listing import Column, Listing, listed

EXAMPLES = (
    "shapeviz runs runs/1 runs/2",
    "shapeviz runs runs/1 runs/2 --plot losses.svg",
)
ONLY = ("format", "json", "output", "debug")
PARAMETERS = [
    Parameter(
        "folders",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="FOLDER…", help="The folders of runs, as `shapeviz train -o` names them."),
        annotation=list[str] | None,
    ),
    Parameter(
        "plot",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(None, "--plot", metavar="FILE", help="Draw all validation losses (.png, .svg, .pdf)."),
        annotation=str | None,
    ),
]
COLUMNS = (
    Column("run", "run"),
    Column("step", "steps done", number=True),
    Column("loss", "best loss, nats/token", number=True),
    Column("best_step", "at step", number=True),
    Column("perplexity", "perplexity", number=True),
    Column("bits_per_character", "bits/character", number=True),
    Column("differs", "differs in"),
)


def run(request: Request) -> None:
    folders, target = request.extra["folders"] or [], request.extra["plot"]
    if not folders:
        raise InputError("name the folders of runs: shapeviz runs runs/1 runs/2; `shapeviz train` makes them")
    check_targets(request)
    from shapeviz.train import runs

    past = [runs.read(Path(folder)) for folder in folders]
    for note in runs.notes(past):
        say(f"note: {note}")
    if target is not None:
        keep_what_is_read(request, [Path(target)])
        runs.draw(Path(target), past)
        say(f"wrote {target}")
    title = f"{len(past)} runs" if len(past) > 1 else "1 run"
    narrow = ("perplexity", "at step", "steps done")
    emit(listed(title, Listing("runs", "", COLUMNS, tuple(runs.entries(past)), narrow=narrow)), request)
