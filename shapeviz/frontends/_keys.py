"""The keys of a description, each accounted for: read as its field says, understood as harmless, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shapeviz import keys
from shapeviz.errors import InputError, nearest
from shapeviz.frontends import _ignored
from shapeviz.frontends._families import Family
from shapeviz.keys import SHOWN, SWITCH, shown
from shapeviz.symbols import flag

ENGINE_WINDOW = "sliding_window_size"  # as MLC calls it


def _spelled(family: Family, data: Mapping[str, object]) -> tuple[Mapping[str, str], Mapping[str, object]]:
    """The family's other names of keys and an engine's, which writes -1 for no window; and the keys so written."""
    if ENGINE_WINDOW not in data or "sliding_window" not in family.keys:
        return family.aliases, data
    window = None if data[ENGINE_WINDOW] in (-1, 0) else data[ENGINE_WINDOW]
    return {**family.aliases, ENGINE_WINDOW: "sliding_window"}, {**data, ENGINE_WINDOW: window}


def _as_many_as_heads(family: Family, config: Any, value: object) -> bool:
    return value == getattr(config, family.symbols.get("h", ""), None)


def _a_share_of_the_width(family: Family, config: Any, value: object) -> bool:
    heads, width = (getattr(config, family.symbols.get(letter, ""), None) for letter in ("h", "d_model"))
    return isinstance(value, int) and isinstance(heads, int) and value * heads == width


def _all_full(family: Family, config: Any, value: object) -> bool:
    depth = getattr(config, family.symbols.get("N", family.symbols.get("N_enc", "")), None)
    return isinstance(value, list) and len(value) == depth and all(kind == "full_attention" for kind in value)


FOLLOWING: Mapping[str, tuple[Callable[[Family, Any, object], bool], str]] = {
    "num_key_value_heads": (_as_many_as_heads, "as many as heads"),
    "head_dim": (_a_share_of_the_width, "the width over the heads"),
    "layer_types": (_all_full, "full_attention for each layer"),
}
"""Keys that a family may lack, since their value follows from its others: at that value they are harmless."""


def configuration(family: Family, data: Mapping[str, object], where: str, ignore: Iterable[str] = ()) -> Any:
    """The family's Config of a config.json.

    Raises InputError for a key that is not understood, SizeError for an impossible value.
    """
    types, (aliases, data) = family.keys, _spelled(family, data)
    only = {**_ignored.ONLY, **family.only}
    passed = family.ignored | {"num_labels", "id2label"} | set(ignore)
    rotary = bool({"rope_theta", "rope_parameters", "rotary_emb_base"} & (family.ignored | types.keys()))
    for key in ignore:
        if key in types or aliases.get(key) in types:
            raise InputError(f"--ignore {key}: {family.name} understands it; leave it out of the file instead")
        if key not in data:
            raise InputError(f"--ignore {key}: {where} has no such key; {nearest(key, data)}")
    values: dict[str, tuple[str, Any]] = {}
    following: dict[str, object] = {}
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
        elif key in FOLLOWING and value is not None and key not in passed:
            following[key] = value
        elif not (key in passed or _ignored.harmless(key, value) or (rotary and _ignored.ROTARY.search(key))):
            raise InputError(
                f"{label}: this key of {family.name} is not understood, it may change shapes or cost; "
                f"{nearest(key, [*types, *aliases])}; if it cannot matter, --ignore {shown(key)}"
            )
    config = family.config(**{name: value for name, (_, value) in values.items()})
    for key, value in following.items():
        follows, meaning = FOLLOWING[key]
        if not follows(family, config, keys.from_json(value)):
            raise InputError(
                f"{where}: {key} = {shown(value)}: {family.name} understands no other than {meaning}; "
                f"if it cannot matter, --ignore {key}"
            )
    return config


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
