"""The folder of a run, and which of its checkpoints: what verbs take that read a trained model."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._options import Request
from shapeviz.errors import InputError

FOLDER = Parameter(
    "folder",
    Parameter.KEYWORD_ONLY,
    default=typer.Argument(None, metavar="FOLDER", help="The folder of a run, as `shapeviz train -o` names it."),
    annotation=str | None,
)
CHECKPOINT = Parameter(
    "checkpoint",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(
        None, "--checkpoint", metavar="best|last", help="best, of the lowest validation loss, or last. Default: best."
    ),
    annotation=str | None,
)


def folder_of(request: Request, example: str) -> Path:
    """The folder that is asked for. Raises InputError for none, with an example, and for an unknown checkpoint."""
    if not request.extra["folder"]:
        raise InputError(f"name the folder of a run: {example}; `shapeviz train` makes one")
    if request.extra["checkpoint"] not in (None, "best", "last"):
        raise InputError(f"--checkpoint {request.extra['checkpoint']}: it is best or last")
    return Path(request.extra["folder"])
