"""A trained model for other programs: config.json, model.safetensors and tokenizer as transformers reads them."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.errors import InputError, requiring
from shapeviz.train import PACKAGES

EXAMPLES = (
    "shapeviz export runs/1 -o gpt",
    "shapeviz export runs/1 --checkpoint last -o gpt",
)
ONLY = ("output", "debug")
OUTPUT = "The folder to write. Needed."
PARAMETERS = [
    Parameter(
        "folder",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="FOLDER", help="The folder of a run, as `shapeviz train -o` names it."),
        annotation=str | None,
    ),
    Parameter(
        "checkpoint",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            None,
            "--checkpoint",
            metavar="best|last",
            help="best, of the lowest validation loss, or last. Default: best.",
        ),
        annotation=str | None,
    ),
]


def run(request: Request) -> None:
    folder, which = request.extra["folder"], request.extra["checkpoint"]
    if not folder:
        raise InputError(
            "name the folder of a run: shapeviz export runs/friends -o friends; `shapeviz train` makes one"
        )
    if len(request.output) != 1 or not request.output[0]:
        raise InputError(f"name one folder to write: shapeviz export {folder} -o FOLDER")
    if which not in (None, "best", "last"):
        raise InputError(f"--checkpoint {which}: it is best or last")
    with requiring("export", *PACKAGES):
        from shapeviz.train import export, generate
    module, tokenizer = generate.load(Path(folder), which)
    target = Path(request.output[0])
    name = export.write(module, tokenizer, target)
    say(f"wrote {target}: transformers.{name}.from_pretrained({str(target)!r}) reads it, and so does AutoTokenizer")
