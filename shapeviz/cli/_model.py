"""The model that the user named: which door it comes in by, and which options have a meaning there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

from shapeviz import published
from shapeviz.cli._frame import progress, say
from shapeviz.cli._options import KEYS, SIZES, SWITCHES, TORCH_SWITCHES, Request
from shapeviz.errors import InputError, nearest
from shapeviz.frontends import from_torch, is_configuration, needs_torch, read
from shapeviz.frontends._config_files import find
from shapeviz.frontends.numbers import positive
from shapeviz.ir import Door, Model, is_dtype
from shapeviz.keys import SYNONYMS
from shapeviz.symbols import BY_LETTER, DIMENSIONS, flag

DTYPES = ("float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "float64")


def model_of(request: Request) -> Model:
    """The model that the user named, hints about it on standard error."""
    if is_configuration(request.model):
        request = replace(request, via=request.via or _way(request.model))
        with _traced(request) if request.via else nullcontext():
            model = read(request.model, **_configuration_options(request))
        if Path(str(request.model), "config.json").exists() and published.has(str(request.model)):
            say(f"note: {request.model} is the bundled model; ./{request.model} is the folder of that name here")
    elif request.model is not None and from_torch.is_source(request.model):
        _refuse_configuration_options(request)
        with _traced(request):
            model = from_torch.model(request.model, _torch_options(request, request.model))
    else:
        if request.model is not None and not os.path.lexists(request.model):
            read(request.model)  # which is refused: of an unknown model no option need be spoken of
        _refuse_configuration_options(request)
        _refuse_torch_options(request)
        model = read(request.model, **request.sizes)
    for note in model.notes:
        say(f"note: {note}")
    return _in_dtype(model, request.extra.get("dtype"))


def traced(request: Request) -> bool:
    """True for a model of which a trace tells: a module, and a configuration that PyTorch builds."""
    if is_configuration(request.model):
        return (request.via or _way(request.model)) is not None
    return request.model is not None and from_torch.is_source(request.model)


def _way(model: str | None) -> str | None:
    """How a configuration is read, if nobody says it: by PyTorch, where no family knows its type."""
    source = find(model) if model else None
    return "torch" if source and needs_torch(source) else None


def _in_dtype(model: Model, dtype: str | None) -> Model:
    """The model with weights, activations and cache in a dtype. Raises InputError for none, and for a trace."""
    if dtype is None:
        return model
    if not is_dtype(dtype):
        raise InputError(f"--dtype {dtype}: no dtype of weights; {nearest(SYNONYMS.get(dtype.lower(), dtype), DTYPES)}")
    if model.origin and model.origin.door is Door.MODULE:
        raise InputError(f"--dtype is for models of sizes and configurations: {model.name} is traced in its own dtypes")
    return replace(model, dtype=dtype)


@contextmanager
def _traced(request: Request) -> Iterator[None]:
    """Says what goes on if a trace takes long: a loop of the module over its tokens is run step by step.

    What PyTorch would warn its own users of is not the concern of somebody who asks for shapes.
    """
    with progress(f"{request.model}: its PyTorch module runs once, with letters for sizes …"), catch_warnings():
        filterwarnings("ignore", category=UserWarning, module=r"(torch|transformers)\.")
        yield


def _configuration_options(request: Request) -> dict[str, Any]:
    """What is set anew in a configuration: sizes, a head or none, keys to be passed over; or how it is to be traced."""
    for name, value in request.sizes.items():
        if not KEYS[name].letter:
            raise InputError(f"{_flag(name, value)} is for models built from sizes: {request.model} says it itself")
    if request.via is None:
        _refuse_module_options(request, "is for a PyTorch module; --via torch builds the configuration's and traces it")
        return {**request.sizes, "sizes": request.torch.sizes, "head": request.head, "ignore": request.ignore}
    if request.head is not None or request.ignore:
        raise InputError("--head, --no-head and --ignore have no effect with --via torch")
    options = vars(_torch_options(request, str(request.model)))
    return {**options, "via": request.via}


def _refuse_configuration_options(request: Request) -> None:
    """Options of published models have no meaning for others."""
    head = "--head" if request.head else "--no-head"
    options = {"--via": request.via is not None, "--ignore": bool(request.ignore), head: request.head is not None}
    for option, is_given in options.items():
        if is_given:
            raise InputError(f"{option} is for a published model: name a bundled one or a config.json as MODEL")


def _torch_options(request: Request, source: str) -> from_torch.TraceOptions:
    """How a module is to be traced: --batch, --seq and --tgt-seq are sizes of it, other sizes are not."""
    sizes = dict(request.torch.sizes)
    for name, value in request.sizes.items():
        written = _flag(name, value) + (f" {value}" if name in SIZES else "")
        if name not in DIMENSIONS and request.via and KEYS[name].letter:
            sizes[KEYS[name].letter] = positive(value, written)
            continue
        if name not in DIMENSIONS:
            raise InputError(f"{written} is for models that are built from sizes; {source} has sizes of its own")
        if (dimension := DIMENSIONS[name]) in sizes:
            raise InputError(f"{written}: {dimension} is given by --size as well: keep one")
        sizes[dimension] = positive(value, written)
    return replace(request.torch, sizes=sizes, run=request.verb != "params" or bool(request.extra.get("max")))


def _refuse_torch_options(request: Request) -> None:
    """Options of PyTorch modules have no meaning for a model that is built from sizes."""
    options = request.torch
    for name, number in options.sizes.items():
        size = BY_LETTER[name].key if name in BY_LETTER else name
        hint = f"use {_flag(size)} {number}" if size in SIZES else nearest(_flag(name), map(_flag, SIZES))
        raise InputError(f"--size {name}={number} is for a PyTorch module, file.py:factory; here {hint}")
    _refuse_module_options(request, "is for a PyTorch module: name one as MODEL, file.py:factory")


def _refuse_module_options(request: Request, why: str) -> None:
    options = request.torch
    refused = {
        **{f"--input {text}": True for text in options.inputs},
        "--vary " + ",".join(options.vary): bool(options.vary),
        "--training": options.training,
        "--patience": options.patience is not None,
        TORCH_SWITCHES["input_grad"][0].split("/")[options.input_grad is False]: options.input_grad is not None,
    }
    for option, is_given in refused.items():
        if is_given:
            raise InputError(f"{option if len(option) <= 60 else option[:60] + '…'} {why}")


def _flag(name: str, value: object = True) -> str:
    return flag(f"no_{name}" if name in SWITCHES and not value else name)
