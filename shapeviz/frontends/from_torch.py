"""PyTorch modules named as `file.py:factory` or `package.module:factory`: loaded, given inputs, and traced."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, fields, replace
from typing import Any

from shapeviz.errors import InputError, nearest, requiring
from shapeviz.files import staying_here
from shapeviz.frontends.numbers import checked, positive, short
from shapeviz.ir import Model
from shapeviz.symbols import DIMENSIONS, flag

DATA = (".toml", ".json")
SOURCE = re.compile(r"(?P<home>[\w./\\~ -]+):(?P<path>[^\W\d]\w*(\.[^\W\d]\w*)*)")


@dataclass(frozen=True)
class TraceOptions:
    """How a module is to be traced: its inputs as specs, sizes of their dimensions, arguments of its class as letters.

    `training` also traces the backward pass, `saved` keeps what is saved for it; `input_grad` says whether the inputs
    require gradients (None: only where `saved` is asked for); without `run`, a module whose inputs are not given is not
    run. `patience`: CPU seconds after which all dimensions but batches become numbers.
    """

    inputs: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    vary: Mapping[str, str] = field(default_factory=dict)
    training: bool = False
    input_grad: bool | None = None
    saved: bool = False
    run: bool = True
    patience: float | None = None


def is_source(text: str) -> bool:
    """True for `file.py:factory` and `package.module:factory`, also with a slip in them; False for other paths.

    >>> [is_source(text) for text in ("model.py:build", "torch.nn:Identity", "gpt2.toml", "C:gpt2.toml")]
    [True, True, False, False]
    """
    if os.path.lexists(text):
        return False
    if ".py:" in text:
        return True
    match = SOURCE.fullmatch(text)
    if not match or match["home"].endswith(DATA) or match["path"].endswith(DATA):
        return False
    return len(match["home"]) > 1 or os.path.lexists(f"{match['home']}.py")  # C: is a drive


def model(source: str, options: TraceOptions | None = None) -> Model:
    """The Model of a module that is traced. What its code prints goes to standard error.

    Raises InputError or SizeError for a mistake in the source or the options, MissingToolError without torch,
    TraceError for a trace that cannot be finished.
    """
    options = options or TraceOptions()
    positional, by_name = _prepared(options)
    from shapeviz.tracing.load import load, load_class

    with staying_here():
        module, name = load_class(source) if options.vary else load(source)
        return _traced(module, name, source, options, positional, by_name)


def configuration(
    data: Mapping[str, Any], name: str, source: str, class_name: str | None, settings: Mapping[str, Any]
) -> Model:
    """The Model of a configuration's module, built by transformers on the meta device and traced.

    `settings` are the keywords of TraceOptions. Raises as `model` does, and InputError for what transformers cannot
    build.
    """
    allowed = {entry.name for entry in fields(TraceOptions)}
    lengths = {DIMENSIONS[key]: positive(value, flag(key)) for key, value in settings.items() if key in DIMENSIONS}
    settings = {key: value for key, value in settings.items() if key not in DIMENSIONS and value is not None}
    if other := next((key for key in settings if key not in allowed), None):
        raise InputError(f"{other} has no effect via torch: {source} is built as its configuration says")
    options = TraceOptions(**settings)
    guessed = {"B": 1} if options.run and not options.inputs else {}  # one batch, as where a configuration is read
    options = replace(options, sizes={**guessed, **options.sizes, **lengths})
    positional, by_name = _inputs(options.inputs)
    with requiring("tracing", "torch"):
        from shapeviz.tracing.configuration import OWN, build, plan

    if data.get("model_type") in OWN:
        module = build(data, class_name, source)
        return _traced(module, f"{name}: {type(module).__name__}", f"{source} via torch", options, positional, by_name)
    made = plan(data, class_name, source)
    return _traced(made, f"{name}: {made.name}", f"{source} via torch", options, positional, by_name)


def _prepared(options: TraceOptions) -> tuple[list[Any], dict[str, Any]]:
    """The inputs by position and by name, all names checked before anything is loaded."""
    positional, by_name = _inputs(options.inputs)
    sizes = checked(options.sizes, "size")
    if not options.vary:
        _check(sizes, (*positional, *by_name.values()))
    return positional, by_name


def _traced(
    module: Any, name: str, source: str, options: TraceOptions, positional: list[Any], by_name: Mapping[str, Any]
) -> Model:
    from shapeviz.tracing import trace

    with redirect_stdout(sys.stderr):
        traced: Model = trace(
            module,
            *positional,
            sizes=checked(options.sizes, "size"),
            vary=options.vary or None,
            training=options.training,
            saved=options.saved,
            input_grad=options.saved if options.input_grad is None else options.input_grad,
            source=source,
            name=name,
            forward=by_name,
            run=options.run,
            patience=options.patience,
        )
    return traced


def _inputs(texts: Iterable[str]) -> tuple[list[Any], dict[str, Any]]:
    """Specs without a name in their order, and specs by the argument that they are for."""
    from shapeviz.tracing.specs import named

    positional: list[Any] = []
    by_name: dict[str, Any] = {}
    for text in texts:
        name, spec = named(text)
        if name is None:
            positional.append(spec)
        elif name in by_name:
            raise InputError(f"input {short(text)}: {name} is given twice: keep one")
        else:
            by_name[name] = spec
    return positional, by_name


def _check(sizes: Mapping[str, int], inputs: tuple[Any, ...]) -> None:
    """Refuses sizes of dimensions that no input has, if there are inputs."""
    from shapeviz.tracing import specs

    for name in sizes:
        if inputs and name not in (known := list(specs.names(inputs))):
            raise InputError(f"size {name}={sizes[name]}: no input has a dimension {name}; {nearest(name, known)}")
