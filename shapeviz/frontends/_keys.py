"""The keys of a configuration, each accounted for: parsed by its type, understood as harmless, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from shapeviz import keys
from shapeviz.errors import InputError, nearest
from shapeviz.frontends import _ignored
from shapeviz.keys import shown


def config(family: ModuleType, data: Mapping[str, Any], where: str, ignore: Iterable[str] = ()) -> Any:
    """The family's Config. Raises InputError for a key that is not understood, SizeError for an impossible value."""
    types = keys.keys(family.Config)
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
            read = keys.read(types[name], value, label, keys.from_json)
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
