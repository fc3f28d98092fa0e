"""Frontends: the doors through which a model comes in. `read` finds the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError
from shapeviz.frontends import from_sizes
from shapeviz.ir import Model


def read(model: str | Path | Mapping[str, Any] | None = None, **sizes: Any) -> Model:
    """The symbolic model of a source: nothing (the default 6 + 8 model), a TOML file's path, or a dict of sizes.

    Sizes given by keyword (`d_model=512`, `ff="2048"`, `bias=False`) beat those of the source.
    Raises InputError for a source that cannot be read, SizeError for impossible sizes.

    >>> read({"enc": 12, "dec": 0}, d_model=768, heads=12).sizes.numbers["d_k"]
    64
    """
    if model is None:
        return from_sizes.model({}, sizes, "default sizes")
    if isinstance(model, Mapping):
        return from_sizes.model(model, sizes, "sizes")
    path = Path(model)
    if path.suffix == ".toml" or path.is_file():
        if path.suffix == ".json":
            raise InputError(f"{path}: a config.json cannot be read yet; give the sizes as flags or in a TOML file")
        return from_sizes.model(from_sizes.toml(path), sizes, path.name)
    what = "is a directory: name a TOML file in it" if path.is_dir() else "is neither a file nor a known model"
    raise InputError(f"{str(model)!r} {what}; give sizes in a TOML file, or as flags with no MODEL at all")
