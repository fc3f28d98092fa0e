"""Formula, substitution and value of one block, line by line."""

from __future__ import annotations

from dataclasses import replace
from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.frontends import from_torch, is_configuration
from shapeviz.renderers import View
from shapeviz.report import measure

PARAMETERS = [
    Parameter(
        "block",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="[PATH]", help="A block's path, e.g. encoder.layer. Default: the model."),
        annotation=str | None,
    )
]


def run(request: Request) -> None:
    path, model = request.extra["block"] or "", request.model
    if _is_model(path) and not (model and _is_model(model)):
        path, model = model or "", path
    request = replace(request, model=model)
    report = measure(model_of(request))
    block = report.row(path) if path else None
    if block and not block.step and request.figure == View.figure:
        request = replace(request, figure=path)
    emit(report, request, View("explain", path, request.figure, request.theme))


def _is_model(text: str) -> bool:
    if is_configuration(text) or text.endswith(".toml"):
        return True
    return Path(text).is_file() or from_torch.is_source(text)
