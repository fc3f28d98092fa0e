"""Frontends: the doors through which a model comes in. `read` finds the right one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, ShapevizError, made_of, nearest
from shapeviz.frontends import _config_files, _families, _toml, _unknown, from_sizes, from_torch
from shapeviz.frontends._config_files import ConfigFile, is_, is_configuration
from shapeviz.frontends.numbers import varied
from shapeviz.ir import Model
from shapeviz.tracing.messages import in_python

__all__ = ["is_configuration", "names_model", "read"]


def names_model(text: str) -> bool:
    """True for what can only be a model: a bundled one, a configuration, a TOML file, a module as file.py:factory.

    Raises InputError for a name that no file can have.

    >>> [names_model(text) for text in ("gpt2", "sizes.toml", "model.py:build", "decoder.layer", "")]
    [True, True, True, False, False]
    """
    if not text:  # as a path, the folder where we are, which may have a config.json
        return False
    return is_configuration(text) or from_torch.is_source(text) or text.endswith(".toml")


def read(model: str | Path | Mapping[str, Any] | None = None, **settings: Any) -> Model:
    """The symbolic model of a source: nothing (the default 6 + 8 model), the name of a bundled model, the path of a
    config.json (or of its folder) or of a TOML file, a dict of sizes or of a configuration (it has a `model_type`), or
    a PyTorch module as "file.py:factory" or "package.module:factory".

    Sizes given by keyword (`d_model=512`, `ff="2048"`, `bias=False`) beat those of the source. A configuration takes
    `sizes={"N": 16}` by letter or key, `batch`, `seq`, `head=False` and `ignore=["key"]`; with `via="torch"` the model
    is built by transformers on the meta device and traced. A PyTorch module takes `inputs=["ids:int64[B,S]"]`,
    `sizes={"B": 32}`, `vary=["dim"]`, `training=True` and `patience=60` (CPU seconds) instead.
    Raises InputError for a source that cannot be read, SizeError for impossible sizes.

    >>> read({"enc": 12, "dec": 0}, d_model=768, heads=12).sizes.numbers["d_k"]
    64
    """
    if model is None:
        return from_sizes.model({}, settings, "default sizes")
    if isinstance(model, Mapping):
        if "model_type" in model or "architectures" in model:
            return _configured(ConfigFile(model, str(model.get("model_type", "model")), "configuration"), settings)
        return from_sizes.model(model, settings, "sizes")
    if not isinstance(model, str | Path):
        traced = made_of(model)
        hint = f"; a PyTorch module is traced: {traced}" if "trace" in traced else ""
        raise InputError(f"a model is a file's name or a dict of sizes, not {type(model).__name__}{hint}")
    if "\0" in str(model):
        raise InputError(f"cannot read {str(model)!r}: no file has a name with a zero in it")
    if source := _config_files.find(model):
        return _configured(source, settings)
    if isinstance(model, str) and from_torch.is_source(model):
        try:
            made = from_torch.model(model, _options(model, settings))
        except ShapevizError as error:
            error.args = (in_python(error.args[0], listed=True), *error.args[1:])
            raise
        return replace(made, notes=tuple(in_python(note, listed=True) for note in made.notes))
    return _from_file(Path(model), str(model), settings)


def _configured(source: ConfigFile, settings: Mapping[str, Any]) -> Model:
    """The model of a configuration, from its keys alone or, via torch, built and traced."""
    via = settings.get("via")
    if via not in (None, "torch"):
        raise InputError(f"via = {via!r}: the only other way is via torch")
    rest = {name: value for name, value in settings.items() if name != "via"}
    if via or needs_torch(source):
        try:
            return from_torch.configuration(_known(source.data), source.name, source.text, source.class_name, rest)
        except InputError as error:
            from shapeviz.frontends.from_huggingface import hint_of_parts

            if not (hint := hint_of_parts(source.data, source.where or source.text)):
                raise
            raise InputError(f"{error}{hint}") from error
    from shapeviz.frontends import from_huggingface
    from shapeviz.frontends._overrides import overrides

    made = from_huggingface.model(
        source.data, source.name, source.text, overrides(rest, source.class_name), source.where
    )
    return replace(made, notes=(source.note, *made.notes)) if source.note else made


def _known(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration for transformers; of a type that it does not have, under that of the class which it names."""
    from shapeviz.frontends.from_huggingface import by_class
    from shapeviz.tracing.configuration import knows

    kind = data.get("model_type")
    if isinstance(kind, str) and not knows(kind) and (family := by_class(data)):
        return {**data, "model_type": family.kind}
    return data


def needs_torch(source: ConfigFile) -> bool:
    """True for a model type that no family knows and that transformers, if it is installed, can build."""
    kind = source.data.get("model_type")
    if not isinstance(kind, str) or _families.has(kind) or find_spec("transformers") is None:
        return False
    from shapeviz.tracing.configuration import knows

    return knows(kind)


def _from_file(path: Path, name: str, sizes: Mapping[str, Any]) -> Model:
    """The model of a TOML file. Raises InputError, with what is there instead, for anything else."""
    if path.suffix == ".py" and is_(path, Path.is_file):
        raise InputError(f"{path} is a Python file: name what builds the module in it, {_builders(path)}")
    if path.suffix == ".toml" or is_(path, Path.is_file):
        if not is_(path, os.path.lexists):
            raise InputError(f"cannot read {path}: No such file or directory; {_others(path)}")
        return from_sizes.model(_toml.load(path), sizes, path.name)
    if name and is_(path, Path.is_dir):
        raise InputError(f"{name!r} is a directory without a config.json: name a file; {_others(path / 'x')}")
    raise InputError(_unknown.refusal(name, path))


def _options(source: str, settings: Mapping[str, Any]) -> from_torch.TraceOptions:
    known = ("inputs", "sizes", "vary", "training", "input_grad", "saved", "run", "patience")
    if "names" in settings:
        from shapeviz.tracing import NO_NAMES

        raise InputError(NO_NAMES)
    for name in settings:
        if name not in known:
            raise InputError(f"{name} is a size of models that are built from sizes; {source} takes {', '.join(known)}")
    inputs, vary = settings.get("inputs") or (), settings.get("vary") or {}
    if not isinstance(vary, Mapping):
        vary = varied((vary,) if isinstance(vary, str) else vary)
    return from_torch.TraceOptions(
        **{**settings, "vary": vary, "inputs": (inputs,) if isinstance(inputs, str) else tuple(inputs)}
    )


def _builders(path: Path) -> str:
    """`model.py:build` for every function and class of a file."""
    from shapeviz.tracing.load import factories

    return " or ".join(f"{path}:{name}" for name in factories(path)[:5]) or f"{path}:build"


def _others(path: Path) -> str:
    """What there is instead of a path that is none: the TOML files beside it."""
    if files := _unknown.toml_files(path):
        return f"TOML files there: {nearest(path.name, files)}"
    return "give a config.json, a TOML file of sizes, or sizes as flags with no MODEL at all"
