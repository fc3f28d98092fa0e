"""Formula, substitution and value of one block, line by line."""

from __future__ import annotations

from dataclasses import replace
from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._measured import COLUMNS, DTYPE, show
from shapeviz.cli._options import Request
from shapeviz.frontends import names_model
from shapeviz.page.views import explain_page

EXAMPLES = (
    "shapeviz explain encoder.layer.self_attention",
    "shapeviz explain decoder.layer gpt2",
)
PARAMETERS = [
    Parameter(
        "block",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="[PATH]", help="A block's path, e.g. encoder.layer. Default: the model."),
        annotation=str | None,
    ),
    COLUMNS,
    DTYPE,
]


def run(request: Request) -> None:
    path, model = request.extra["block"] or "", request.model
    if _is_model(path) and not (model and _is_model(model)):
        path, model = model or "", path
    show(replace(request, model=model), lambda report: explain_page(report, path))


def _is_model(text: str) -> bool:
    return names_model(text) or Path(text).is_file()
