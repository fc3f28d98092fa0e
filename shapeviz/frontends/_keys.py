"""The keys of a configuration, each accounted for: parsed by its type, understood as harmless, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import ModuleType
from typing import Any

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.frontends import _ignored

LARGEST = 10**50
SHOWN = 60  # characters of a value in a message
NEEDED = {
    "int": "a positive integer",
    "Count": "an integer of at least 0",
    "bool": "true or false",
    "str": "a text",
    "float": "a number",
    "tuple[str, ...]": "a list of texts",
    "tuple[int, ...]": "a list of integers",
    "int | tuple[int, ...]": "a positive integer, or a list of them",
    "Turns": 'a list of kinds and how often they take turns, such as [[["global", "local"], 12]],',
}


def config(family: ModuleType, data: Mapping[str, Any], where: str, ignore: Iterable[str] = ()) -> Any:
    """The family's Config. Raises InputError for a key that is not understood, SizeError for an impossible value."""
    types = {field.name: str(field.type) for field in fields(family.Config)}
    aliases: Mapping[str, str] = getattr(family, "ALIASES", {})
    only = {**_ignored.ONLY, **getattr(family, "ONLY", {})}
    harmless = _ignored.IGNORED | family.IGNORED | {"num_labels", "id2label"} | set(ignore)
    for key in ignore:
        if key in types or aliases.get(key) in types:
            raise InputError(f"--ignore {key}: {model_type(family)} understands it; leave it out of the file instead")
        if key not in data:
            raise InputError(f"--ignore {key}: {where} has no such key; {nearest(key, data)}")
    found: dict[str, tuple[str, Any]] = {}
    for key, value in data.items():
        if not isinstance(key, str):
            raise InputError(f"{where}: {key!r} is no key of a configuration: keys are texts")
        name = aliases.get(key, key)
        label = f"{where}: {shown(key)} = {shown(value)}"
        if name in types:
            read = parsed(types[name], value, label)
            if name in found and found[name][1] != read:
                other, before = found[name]
                raise InputError(f"{label}: {other} = {shown(before)} is another name of it: keep one")
            found[name] = key, read
        elif key in only:
            if value is not None and value not in only[key]:
                allowed = " or ".join(map(shown, only[key])) or "null"
                raise InputError(f"{label} changes shapes in a way that is not understood; {key} = {allowed} is")
        elif key not in harmless and value is not None:
            known = [*types, *aliases]
            raise InputError(
                f"{label}: this key of {model_type(family)} is not understood, it may change shapes or cost; "
                f"{nearest(key, known)}; if it cannot matter, --ignore {shown(key)}"
            )
    return family.Config(**{name: value for name, (_, value) in found.items()})


def model_type(family: ModuleType) -> str:
    """The family's name."""
    return family.__name__.rpartition(".")[2]


def parsed(kind: str, value: Any, label: str) -> Any:
    """The value as its type says. Raises InputError or SizeError."""
    optional, kind = kind.endswith(" | None"), kind.removesuffix(" | None")
    if value is None:
        if optional:
            return None
        raise InputError(f"{label}: {NEEDED[kind]} is needed; leave the key out for its default")
    match kind:
        case "int" | "Count":
            return _integer(value, label, NEEDED[kind], kind == "int")
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case "float" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "tuple[str, ...]" if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        case "tuple[int, ...]" if isinstance(value, list | tuple):
            return tuple(_integer(item, label, "a list of integers of at least 0", False) for item in value)
        case "int | tuple[int, ...]":
            if isinstance(value, list) and value:
                return tuple(_integer(item, label, NEEDED[kind], True) for item in value)
            return _integer(value, label, NEEDED[kind], True)
        case "Turns" if isinstance(value, list) and all(isinstance(item, list) and len(item) == 2 for item in value):
            return tuple(
                (parsed("tuple[str, ...]", kinds, label), _integer(times, label, NEEDED[kind], False))
                for kinds, times in value
            )
    raise InputError(f"{label}: {NEEDED[kind]} is needed")


def _integer(value: Any, label: str, needed: str, positive: bool) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < positive:
        raise SizeError(f"{label}: {needed} is needed")
    if value > LARGEST:
        raise SizeError(f"{label}: larger than 10⁵⁰, the largest size that is taken")
    return value


def defaults(family: ModuleType) -> dict[str, Any]:
    """The defaults of the family's keys."""
    return {field.name: field.default for field in fields(family.Config) if field.default is not MISSING}


def shown(value: Any) -> str:
    """A value for a message: short, and as JSON writes it."""
    import json

    if isinstance(value, str) and value.isidentifier() and len(value) <= SHOWN:
        return value
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python's limit of 4300 digits
        return "a very long number"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
