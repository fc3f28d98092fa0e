"""Frontends: the doors through which a model comes in. `read` finds the right one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, nearest
from shapeviz.frontends import from_sizes, from_torch
from shapeviz.ir import Model


def read(model: str | Path | Mapping[str, Any] | None = None, **sizes: Any) -> Model:
    """The symbolic model of a source: nothing (the default 6 + 8 model), a TOML file's path, a dict of sizes, or a
    PyTorch module as "file.py:factory" or "package.module:factory".

    Sizes given by keyword (`d_model=512`, `ff="2048"`, `bias=False`) beat those of the source. A PyTorch module takes
    `inputs=["ids:int64[B,S]"]`, `sizes={"B": 32}`, `names={"d_model": 512}` and `training=True` instead.
    Raises InputError for a source that cannot be read, SizeError for impossible sizes.

    >>> read({"enc": 12, "dec": 0}, d_model=768, heads=12).sizes.numbers["d_k"]
    64
    """
    if model is None:
        return from_sizes.model({}, sizes, "default sizes")
    if isinstance(model, Mapping):
        return from_sizes.model(model, sizes, "sizes")
    if not isinstance(model, str | Path):
        raise InputError(f"a model is a file's name or a dict of sizes, not {type(model).__name__}")
    if isinstance(model, str) and from_torch.is_source(model):
        return from_torch.model(model, _options(model, sizes))
    path = Path(model)
    if path.suffix == ".py" and _is(path, os.path.isfile):
        raise InputError(f"{path} is a Python file: name what builds the module in it, {_builders(path)}")
    if path.suffix == ".toml" or _is(path, os.path.isfile):
        if path.suffix == ".json":
            raise InputError(f"{path}: a config.json cannot be read yet; give the sizes as flags or in a TOML file")
        if not _is(path, os.path.lexists):
            raise InputError(f"cannot read {path}: No such file or directory; {_others(path)}")
        return from_sizes.model(from_sizes.toml(path), sizes, path.name)
    if str(model) and _is(path, os.path.isdir):
        raise InputError(f"{str(model)!r} is a directory: name a TOML file in it; {_others(path / 'x')}")
    name = str(model) if len(str(model)) <= 200 else str(model)[:200] + "…"
    raise InputError(f"{name!r} is neither a file nor a known model; {_others(path)}")


def _options(source: str, given: Mapping[str, Any]) -> from_torch.Options:
    known = ("inputs", "sizes", "names", "training", "input_grad", "saved")
    for name in given:
        if name not in known:
            raise InputError(f"{name} is a size of models that are built from sizes; {source} takes {', '.join(known)}")
    inputs = given.get("inputs") or ()
    return from_torch.Options(**{**given, "inputs": (inputs,) if isinstance(inputs, str) else tuple(inputs)})


def _builders(path: Path) -> str:
    """`model.py:build` for every function and class of a file."""
    from shapeviz.tracing.load import factories

    return " or ".join(f"{path}:{name}" for name in factories(path)[:5]) or f"{path}:build"


def _is(path: Path, test: Callable[[Path], bool]) -> bool:
    """A question about a path, False for one that no file can have."""
    try:
        return test(path)
    except (OSError, ValueError):
        return False


def _others(path: Path) -> str:
    """The TOML files beside a path that is none."""
    try:
        files = sorted(file.name for file in path.parent.glob("*.toml"))
    except (OSError, ValueError):
        files = []
    if files:
        return f"TOML files there: {nearest(path.name, files)}"
    return "give sizes in a TOML file, or as flags with no MODEL at all"
