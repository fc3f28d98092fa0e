"""What is asked of a module: its inputs read and bound to forward's arguments, sizes and names checked, nothing run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.tracing import huggingface
from shapeviz.tracing.blueprint import Blueprint
from shapeviz.tracing.input_values import from_text
from shapeviz.tracing.lazy_modules import called_once, is_lazy
from shapeviz.tracing.lend_module import uncompiled
from shapeviz.tracing.limits import MOST_DIMENSIONS, PATIENCE
from shapeviz.tracing.module_checks import check_module
from shapeviz.tracing.specs import names as names_in


@dataclass(frozen=True)
class TraceRequest:
    """A module and what is to be traced of it; never changed, so that every run and every further size starts from it.

    args, kwargs: forward's arguments, tensors as specs. labels: the names of `args`. sizes: the numbers that the user
    gave to dimensions of the inputs. training: the backward pass too. saves: what is kept for it. runs: false for a
    module that is not run, for lack of inputs. patience: CPU seconds after which all but batches become numbers.
    """

    module: nn.Module
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    sizes: Mapping[str, int]
    training: bool = False
    saves: bool = False
    input_grad: bool = False
    fold: bool = True
    runs: bool = True
    patience: float = PATIENCE
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    blueprint: Blueprint | None = None

    @property
    def dimensions(self) -> list[str]:
        """The names of the inputs' dimensions, in the order in which they appear, after the letters of a class."""
        return list(dict.fromkeys([*self.letters, *names_in([*self.args, *self.kwargs.values()])]))

    @property
    def letters(self) -> list[str]:
        """The letters in the arguments of a class; none of a module."""
        return self.blueprint.letters if self.blueprint else []

    @property
    def known(self) -> Mapping[str, int]:
        """The sizes that are wanted: those that the user gave, and those that a class has by default."""
        return {**(self.blueprint.sizes if self.blueprint else {}), **self.sizes}

    @property
    def class_name(self) -> str:
        return type(self.module).__name__


def prepared(request: TraceRequest) -> TraceRequest:
    """The request with texts read as specs, inputs guessed if there are none and that can be done, arguments bound.

    Raises InputError or SizeError for what does not fit the module.
    """
    request = _solved(replace(request, module=uncompiled(request.module)))
    check_module(request.module, called=bool(request.args or request.kwargs) and not request.blueprint)
    if "forward" not in request.module.__dict__ and type(request.module).forward is nn.Module.forward:
        return _without_forward(request)
    parameters = inspect.signature(request.module.forward)
    if huggingface.is_one(request.module):
        if not (request.runs or request.args or request.kwargs):
            return request
        request = _with_guessed_inputs(request, parameters)
    args = tuple(from_text(value, f"input {i}") for i, value in enumerate(request.args, 1))
    kwargs = {name: from_text(value, name) for name, value in request.kwargs.items()}
    request = _bound(replace(request, args=args, kwargs=kwargs), parameters)
    _check_sizes(request)
    if is_lazy(request.module) and not request.blueprint:
        own = (request.args, request.kwargs, request.dimensions, request.sizes)
        return replace(request, module=called_once(request.module, *own))
    return request


def _solved(request: TraceRequest) -> TraceRequest:
    """Sizes that were given to arguments of a class as sizes of the letters in them."""
    return replace(request, sizes=request.blueprint.by_letter(request.sizes)) if request.blueprint else request


def _without_forward(request: TraceRequest) -> TraceRequest:
    """A module that only holds others: its parameters alone can be told."""
    if request.runs or request.args or request.kwargs:
        raise InputError(f"{request.class_name} has no forward that could be traced: `params` counts its parameters")
    return request


def _with_guessed_inputs(request: TraceRequest, parameters: inspect.Signature) -> TraceRequest:
    """The inputs that a model of transformers takes, if none is given; and no cache, which would be a result too."""
    kwargs, notes = dict(request.kwargs), request.notes
    if not request.args and not kwargs:
        kwargs.update(huggingface.inputs(request.module))
        shown = ", ".join(f"{name}:{spec}" for name, spec in kwargs.items())
        notes = (*notes, f"inputs guessed from forward and config: {shown}; --input sets others")
    if "use_cache" in parameters.parameters:
        kwargs.setdefault("use_cache", False)
    return replace(request, kwargs=kwargs, notes=notes)


def _bound(request: TraceRequest, signature: inspect.Signature) -> TraceRequest:
    """Arguments and parameters of forward, one for one, or a message that says which is missing or unknown."""
    parameters = list(signature.parameters.values())
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for name in request.kwargs:
        if name not in names and not anything:
            raise InputError(f"forward has no argument {name!r}; {nearest(name, names)}")
    may_rest = not request.runs and not request.args and not request.kwargs
    try:
        signature.bind(*request.args, **request.kwargs)
    except TypeError as error:
        bound = {*names[: len(request.args)], *request.kwargs}
        missing = [p.name for p in parameters if p.default is p.empty and p.name in names and p.name not in bound]
        if missing and may_rest:
            return request
        if not missing:
            raise InputError(f"forward({', '.join(names)}) cannot be called with these inputs: {error}") from None
        example = f"--input '{missing[0]}:float32[B,S,512]'"
        raise InputError(f"forward needs {', '.join(missing)}: describe each input, for example {example}") from None
    further = (f"input_{i}" for i in range(len(names) + 1, len(request.args) + 1))
    return replace(request, labels=(*names, *further), runs=True)


def _check_sizes(request: TraceRequest) -> None:
    for name, size in request.sizes.items():
        Expr.symbol(name)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise SizeError(f"{name} = {size}: a positive integer is needed")
    dimensions = request.dimensions
    of_inputs = len(dimensions) - len(request.letters)
    if of_inputs > MOST_DIMENSIONS:
        raise InputError(
            f"the inputs name {of_inputs} dimensions, and at most {MOST_DIMENSIONS} can be told apart in a trace"
        )
    for name in request.sizes:
        if name not in dimensions:
            hint = nearest(name, dimensions) if dimensions else "the inputs name no dimensions"
            raise SizeError(f"--size {name}: no input has a dimension {name}; {hint}")
