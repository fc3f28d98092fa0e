"""The PyTorch side as a model of its own: the module of the same sizes or of the same configuration, traced."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shapeviz.ir import Door, Model, Origin
from shapeviz.models.transformer import Config
from shapeviz.symbols import DIMENSIONS
from shapeviz.tracing import trace
from shapeviz.tracing.configuration import build as configured_module
from shapeviz.verify.reference_transformer import build
from shapeviz.verify.sizes import symbols, variables

LENGTHS = tuple(DIMENSIONS.values())  # B, S, T: what stays a variable of a configuration's model


def twin(model: Model, origin: Origin, *, input_grad: bool = True) -> Model:
    """A model that was built from sizes or from a configuration, traced with what is saved for the backward pass.

    Its parameters are in the dtype of the model, float32 if it names none.

    input_grad: the vectors that go in require gradients, as the outputs of an embedding would; so all layers save the
    same. It has no effect on a model built from sizes.
    """
    if origin.door is Door.SIZES:
        return twin_of_sizes(model, origin.config)
    module = module_of(model, origin).to(getattr(torch, model.dtype or "float32"))
    return twin_of_configuration(model, module, saved=True, input_grad=input_grad)


def twin_of_sizes(model: Model, config: Config) -> Model:
    """The reference transformer of a configuration, traced at its sizes; vectors that go in require gradients."""
    _, *lengths = variables(config)
    dtype = model.dtype or "float32"
    inputs = [f"int64[B,{length}]" if config.vocab else f"{dtype}[B,{length},{config.d_model}]" for length in lengths]
    return trace(
        build(config).to(getattr(torch, dtype)),
        *inputs,
        sizes={name: symbols(config)[name] for name in ("B", *lengths)},
        saved=True,
        input_grad=not config.vocab,
        name=model.name,
        source=model.source,
    )


def module_of(model: Model, origin: Origin) -> nn.Module:
    """The module that transformers builds of a model's configuration. Raises InputError or MissingToolError."""
    return configured_module(origin.data, origin.class_name, model.name)


def twin_of_configuration(
    model: Model, module: nn.Module, *, saved: bool = False, input_grad: bool = False, for_all: bool = False
) -> Model:
    """The module of a model's configuration, traced at the batch and the lengths of the model.

    for_all: a batch of 1, at which some modules take another branch, stays a letter.
    """
    config: Any = module.config
    config.use_cache = False  # a cache would come out as a further result, and its growth as a cost
    lengths = {name: size for name, size in model.sizes.numbers.items() if name in LENGTHS}
    if for_all:
        lengths = {name: size for name, size in lengths.items() if size > 1}
    return trace(module, sizes=lengths, saved=saved, input_grad=input_grad, name=model.name, source=model.source)
