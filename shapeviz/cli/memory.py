"""Bytes saved for backward, parameters, gradients and the largest tensor."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from shapeviz.cli._measured import put
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.errors import requiring
from shapeviz.ir import Door, Model, Origin
from shapeviz.page.views import memory_page
from shapeviz.report import measure

COLUMNS = ("saved", "weights", "gradients", "largest")


def run(request: Request) -> None:
    model = model_of(replace(request, torch=replace(request.torch, saved=True)))
    traced = _twin(model, model.origin, request) if model.origin else model
    report = measure(traced, COLUMNS)
    put(memory_page(report), report, request)


def _twin(model: Model, origin: Origin, request: Request) -> Model:
    """The PyTorch module of the same sizes, traced: what is saved for backward is not in the formulas of a model."""
    if origin.door is Door.MODULE:
        return model
    with requiring("memory", "torch"):
        import_module("torch")
    from shapeviz.verify.twin import twin

    return twin(model, origin, input_grad=request.torch.input_grad is not False)
