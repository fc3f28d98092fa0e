"""The files of model families, each checked to have what shapeviz.models says a family has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from shapeviz import plugins
from shapeviz.errors import InputError, nearest
from shapeviz.keys import Key, keys
from shapeviz.models import Plan

SIZES = "transformer"  # the family that is built from sizes, of which there are no configurations
PARTS = {
    "Config": "a frozen dataclass of its keys",
    "SYMBOLS": 'the letter of each size and its key, {"N": "num_hidden_layers"}',
    "CLASSES": 'the task of each class name, {"LlamaForCausalLM": "lm"}',
    "check": "a function of a Config, which raises SizeError",
    "build": "a function of a Config and a task, which makes a Plan",
}


class Family(NamedTuple):
    """What a family's file has; `name` is its own, `kind` transformers' model type, `file` where it is, `keys` what its
    Config may hold."""

    name: str
    kind: str
    file: str
    config: type
    keys: Mapping[str, Key]
    symbols: Mapping[str, str]
    classes: Mapping[str, str]
    check: Callable[[Any], None]
    build: Callable[[Any, str], Plan]
    implied: Callable[[Mapping[str, object]], dict[str, Any]]
    kept: Callable[[Mapping[str, object]], dict[str, str]]
    aliases: Mapping[str, str]
    ignored: frozenset[str]
    only: Mapping[str, tuple[object, ...]]
    modules: Mapping[str, str]
    labels: int


def names() -> list[str]:
    """The model types that configurations may have."""
    return [name for name in plugins.names("shapeviz.models") if name != SIZES]


def has(kind: object) -> bool:
    """True for a model type that is known."""
    return isinstance(kind, str) and kind != SIZES and plugins.has("shapeviz.models", _file(kind))


def of_class(name: object) -> Family | None:
    """The family that has a class of that name, by which a model type that nobody knows is understood."""
    return next((family for family in map(load, names()) if name in family.classes), None)


def _file(kind: str) -> str:
    return kind.replace("-", "_")


@cache
def load(name: str) -> Family:
    """The family of a model type. Raises InputError, with what is missing, for a file that is not yet a family."""
    module = plugins.load("shapeviz.models", _file(name))
    _check(module)
    return Family(
        name=_file(name),
        kind=getattr(module, "TYPE", _file(name)),
        file=str(module.__file__),
        config=module.Config,
        keys=keys(module.Config),
        symbols=module.SYMBOLS,
        classes=module.CLASSES,
        check=module.check,
        build=module.build,
        implied=getattr(module, "implied", lambda given: {}),
        kept=getattr(module, "kept", lambda given: {}),
        aliases=getattr(module, "ALIASES", {}),
        ignored=frozenset(getattr(module, "IGNORED", ())),
        only=getattr(module, "ONLY", {}),
        modules=getattr(module, "MODULES", {}),
        labels=getattr(module, "LABELS", 2),
    )


def _check(module: ModuleType) -> None:
    """Raises InputError for a file without a part that every family has, or with a letter for a key that it has not."""
    lacking = [f"{part}, {what}" for part, what in PARTS.items() if not hasattr(module, part)]
    if lacking:
        raise InputError(f"{module.__file__} is no model family yet: it lacks {'; '.join(lacking)}")
    if not is_dataclass(module.Config):
        raise InputError(f"{module.__file__}: Config is no dataclass: write @dataclass(frozen=True) above it")
    if not module.CLASSES:
        raise InputError(f"{module.__file__}: CLASSES is empty: it needs {PARTS['CLASSES']}")
    keys = [entry.name for entry in fields(module.Config)]
    for letter, key in module.SYMBOLS.items():
        if key not in keys:
            raise InputError(
                f"{module.__file__}: SYMBOLS has {letter} for {key!r}, no key of Config; {nearest(key, keys)}"
            )
