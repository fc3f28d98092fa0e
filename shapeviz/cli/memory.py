"""Bytes saved for backward, parameters, gradients and the largest tensor."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter

import typer

from shapeviz import budget
from shapeviz.analyses import parts
from shapeviz.cli._frame import progress, say
from shapeviz.cli._measured import COLUMNS, DTYPE, LESS, MAX, budgets, check_budgets, chosen, put, shortened
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.errors import InputError, requiring
from shapeviz.ir import Door, Model, Origin
from shapeviz.page.views import memory_page
from shapeviz.report import measure
from shapeviz.saving import KERNELS, with_saved

EXAMPLES = (
    "shapeviz memory gpt2 --batch 8 --seq 512",
    "shapeviz memory llama-3-8b --seq 8192 --kernels flash",
)
KERNELS_OF = Parameter(
    "kernels",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(
        None,
        "--kernels",
        metavar="|".join(KERNELS),
        help="Count from the formulas of a described model, as these kernels compute it; no PyTorch is needed.",
    ),
    annotation=str | None,
)
PARAMETERS = [MAX, COLUMNS, DTYPE, KERNELS_OF, *LESS]
USUAL = ("saved", "weights", "gradients", "largest")
OWN = ("vaswani", "shapeviz_lm")  # whose modules stand in nets/, the others are those of transformers
COMPUTED = ("float64", "float32", "bfloat16", "float16")  # in others PyTorch stores, and multiplies no matrices


def run(request: Request) -> None:
    model = model_of(replace(request, torch=replace(request.torch, saved=True)))
    names, most, kernels = chosen(request), budgets(request), request.extra["kernels"]
    measured = dict.fromkeys((*(names or USUAL), *budget.columns(most)))
    if kernels is not None:
        model = _described(model, kernels)
    unknown = any(not part.knows.of(model) for name in measured for part in parts(name))
    if unknown and model.origin and model.origin.door is not Door.MODULE:
        model = _twin_or_formulas(model, model.origin, request)
    report = measure(model, measured)
    put(shortened(lambda shown: memory_page(shown, *names), report, request, *names), report, request)
    check_budgets(report, most)


def _described(model: Model, kernels: str) -> Model:
    """The model with what its operations keep. Raises InputError for a module, which is computed as it is written."""
    if model.origin and model.origin.door is Door.MODULE:
        raise InputError(f"--kernels are of a described model; {model.name} is a module, computed as it is written")
    return with_saved(model, kernels)


def _twin_or_formulas(model: Model, origin: Origin, request: Request) -> Model:
    """The twin, or where what it needs is not installed the model with what its formulas say, which is noted.

    Those of a model from sizes are the twin's own. Of a configuration they are those of FlashAttention, by which
    transformers computes where it can.
    """
    sizes = origin.door is Door.SIZES
    needed = ("torch",) if sizes or origin.family in OWN else ("torch", "transformers")
    if absent := [package for package in needed if find_spec(package) is None]:
        kernels = "eager" if sizes else "flash"
        say(
            f"note: {' and '.join(absent)} not installed (pip install {' '.join(absent)}): counted from formulas, as "
            f"with --kernels {kernels}, instead of running PyTorch's module"
        )
        return with_saved(model, kernels)
    with progress(f"{model.name}: its PyTorch module runs once, forward and backward …"):
        return _in_words(_twin(model, origin, request), model.dtype)


def _in_words(twin: Model, dtype: str) -> Model:
    """The twin, its conventions saying in which dtype it was traced."""
    said = f", all in {dtype}" if dtype else ", all in float32 since no dtype is named"
    conventions = {name: parts(name)[0].convention + said for name in USUAL}
    return replace(twin, conventions={**twin.conventions, **conventions})


def _twin(model: Model, origin: Origin, request: Request) -> Model:
    """The PyTorch module of the same sizes, traced: what is saved for backward is not in the formulas of a model."""
    if model.dtype and model.dtype not in COMPUTED:
        known = " or ".join(COMPUTED)
        raise InputError(f"memory runs the module, which PyTorch cannot in {model.dtype}: give --dtype {known}")
    with requiring("memory", "torch"):
        import_module("torch")
    from shapeviz.verify.twin import twin

    return twin(model, origin, input_grad=request.torch.input_grad is not False)
