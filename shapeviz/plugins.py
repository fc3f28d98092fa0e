"""A package directory as a registry: a file is an entry, its name the entry's name, loaded when asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from shapeviz.errors import InputError, nearest


def names(package: str, prefix: str = "") -> list[str]:
    """The entries of a package: the files whose name starts with the prefix, without it.

    >>> {"flops", "params"} <= set(names("shapeviz.analyses"))
    True
    """
    root = import_module(package)
    files = sorted(Path(root.__path__[0]).glob(f"{prefix}*.py"))
    return [file.stem[len(prefix) :] for file in files if not file.stem.startswith("_")]


def has(package: str, name: str, prefix: str = "") -> bool:
    """True for the name of an entry."""
    root = Path(import_module(package).__path__[0])
    plain = name.isidentifier() and len(name) <= 100 and not name.startswith("_")
    return plain and (root / f"{prefix}{name}.py").is_file()


def load(package: str, name: str, prefix: str = "") -> ModuleType:
    """The module of an entry. Raises InputError with the nearest name if there is none."""
    if not has(package, name, prefix):
        kind = package.rpartition(".")[2]
        entries = names(package, prefix)
        raise InputError(f"unknown {kind[:-1] if kind.endswith('s') else kind} {name!r}; {nearest(name, entries)}")
    return import_module(f"{package}.{prefix}{name}")
