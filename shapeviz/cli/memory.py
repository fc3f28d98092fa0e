"""Bytes saved for backward, parameters, gradients and the largest tensor."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.errors import requiring
from shapeviz.frontends.from_huggingface import Origin
from shapeviz.ir import Model
from shapeviz.models.transformer import Config
from shapeviz.renderers import View
from shapeviz.report import measure

COLUMNS = ("saved", "weights", "gradients", "largest")


def run(request: Request) -> None:
    model = model_of(replace(request, torch=replace(request.torch, saved=True)))
    analytic = isinstance(model.config, Config | Origin)
    traced = _twin(model, request) if analytic else model
    emit(measure(traced, COLUMNS), request, View("memory", "", request.figure, request.theme))


def _twin(model: Model, request: Request) -> Model:
    """The PyTorch module of the same sizes, traced: what is saved for backward is not in the formulas of a model."""
    with requiring("memory", "torch"):
        import_module("torch")
    if isinstance(model.config, Config):
        from shapeviz.verify.twin import twin

        return twin(model)
    from shapeviz.verify import configured

    return configured.twin(model, saved=True, input_grad=request.torch.input_grad is not False)
