"""The keys of a description, each accounted for: read as its field says, understood as harmless, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shapeviz import keys
from shapeviz.errors import InputError, nearest
from shapeviz.frontends import _ignored
from shapeviz.frontends._families import Family
from shapeviz.keys import SHOWN, SWITCH, shown
from shapeviz.symbols import flag


def configuration(family: Family, data: Mapping[str, object], where: str, ignore: Iterable[str] = ()) -> Any:
    """The family's Config of a config.json.

    Raises InputError for a key that is not understood, SizeError for an impossible value.
    """
    types, aliases = family.keys, family.aliases
    only = {**_ignored.ONLY, **family.only}
    harmless = _ignored.IGNORED | family.ignored | {"num_labels", "id2label"} | set(ignore)
    for key in ignore:
        if key in types or aliases.get(key) in types:
            raise InputError(f"--ignore {key}: {family.name} understands it; leave it out of the file instead")
        if key not in data:
            raise InputError(f"--ignore {key}: {where} has no such key; {nearest(key, data)}")
    values: dict[str, tuple[str, Any]] = {}
    for key, value in data.items():
        if not isinstance(key, str):
            raise InputError(f"{where}: {key!r} is no key of a configuration: keys are texts")
        name = aliases.get(key, key)
        label = f"{where}: {shown(key)} = {shown(value)}"
        if name in types:
            read = keys.read(types[name], value, label, keys.from_json)
            if name in values and values[name][1] != read:
                other, before = values[name]
                raise InputError(f"{label}: {other} = {shown(before)} is another name of it: keep one")
            values[name] = key, read
        elif key in only:
            if value is not None and value not in only[key]:
                allowed = " or ".join(map(shown, only[key])) or "null"
                raise InputError(f"{label} changes shapes in a way that is not understood; {key} = {allowed} is")
        elif key not in harmless and value is not None:
            raise InputError(
                f"{label}: this key of {family.name} is not understood, it may change shapes or cost; "
                f"{nearest(key, [*types, *aliases])}; if it cannot matter, --ignore {shown(key)}"
            )
    return family.config(**{name: value for name, (_, value) in values.items()})


def sizes(family: Family, data: Mapping[str, object], where: str = "") -> dict[str, Any]:
    """Sizes and variants under the names of a family's keys, with hyphens or underscores; None is not given.

    `where` begins messages about a file, `sizes.toml: `; without it they name flags. Raises InputError and SizeError.
    """
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = _name(key)
        if name not in family.keys:
            raise InputError(f"{where}unknown size {str(key)!r}; {nearest(name, family.keys)}")
        if name in values:
            raise InputError(f"{where}{name} is given twice, with hyphens and with underscores: keep one")
        if value is not None:
            label = f"{where}{key} = {shown(value)}" if where else _as_flag(name, value)
            values[name] = keys.read(family.keys[name], value, label, keys.from_text)
    return values


def as_flags(family: Family, data: Mapping[str, object]) -> str:
    """Sizes and variants as one would type them: `--d-model 512 --no-bias`."""
    flags = []
    for key, value in data.items():
        name = _name(key)
        if value is not None and family.keys[name].kind is SWITCH:
            flags.append(flag(name if value else f"no_{name}"))
        elif value is not None:
            flags.append(f"{flag(name)} {','.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    return " ".join(flags)


def _name(key: Any) -> str:
    return str(key).replace("-", "_")


def _as_flag(name: str, value: object) -> str:
    plain = isinstance(value, str) and value and value.isprintable() and " " not in value and len(value) <= SHOWN
    return f"{flag(name)} {value if plain else shown(value)}"
