"""Sizes from flags, a TOML file or a dict: parsed, checked against each other, and made a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import islice
from operator import index
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.files import read_text
from shapeviz.ir import Model
from shapeviz.models.transformer import Config, build

LARGEST = 10**50
TOO_LARGE = "larger than 10⁵⁰, the largest size that is taken"
SHOWN = 60  # characters of a value in a message
MOST_WIDTHS = 100
WINDOW = 10_000  # sizes tried on either side in search of a possible one
CHOICES = {
    "norm": ("layer", "rms"),
    "norm_position": ("post", "pre"),
    "positions": ("none", "sinusoidal", "learned", "rotary"),
}
SWITCHES = ("gated", "bias", "tie")
MAY_BE_ZERO = ("enc", "dec")
NAMES = tuple(field.name for field in fields(Config))


def toml(path: Path) -> dict[str, Any]:
    """The sizes of a TOML file, at its top or in a table `[model]`. Raises InputError."""
    import tomllib

    try:
        data = tomllib.loads(read_text(path, "a TOML file of sizes").removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    except ValueError:  # Python's limit of 4300 digits
        raise SizeError(f"{path}: a number in it is {TOO_LARGE}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a file of sizes") from None
    table = data.pop("model", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: `model` is a table of sizes, [model]")
    if twice := set(map(_name, data)) & set(map(_name, table)):
        raise InputError(f"{path}: {min(twice)} is given twice, at the top and in [model]: keep one")
    return {**data, **table}


def model(base: Mapping[str, Any], given: Mapping[str, Any], source: str) -> Model:
    """The model of sizes, those in `given` before those in `base` before the defaults; None is not given.

    Raises InputError for unknown names and SizeError for impossible sizes, with the nearest possible ones.
    """
    sizes = _all_parsed(base, f"{source}: ") | _all_parsed(given, "")
    if "d_k" not in sizes and sizes.keys() & {"d_model", "heads"}:
        sizes["d_k"] = None
    if sizes.get("positions") == "learned" and sizes.get("max_len") and not sizes.keys() & {"seq", "tgt_seq"}:
        sizes["seq"] = min(Config.seq, sizes["max_len"])
    config = Config(**sizes)
    _check(config, f"{source}: " if base else "")
    return build(config, " + ".join([source, *([_typed(given)] if given else [])]))


def _typed(given: Mapping[str, Any]) -> str:
    """Sizes as flags: `--d-model 512 --no-bias`."""
    flags = []
    for key, value in given.items():
        name = _name(key)
        number = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        if value is not None:
            flags.append(f"--{'' if value else 'no-'}{name}" if name in SWITCHES else f"{flag(name)} {number}")
    return " ".join(flags)


def _all_parsed(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Sizes under their names in Config; `where` is the file they are from, empty for flags."""
    sizes: dict[str, Any] = {}
    for key, value in values.items():
        name = _name(key)
        if name not in NAMES:
            raise InputError(f"{where}unknown size {str(key)!r}; {nearest(name, NAMES)}")
        if name in sizes:
            raise InputError(f"{where}{name} is given twice, with hyphens and with underscores: keep one")
        if value is not None:
            sizes[name] = _parsed(name, value, f"{where}{key} = {_shown(value)}" if where else _as_flag(name, value))
    return sizes


def _name(key: Any) -> str:
    return str(key).replace("-", "_")


def _as_flag(name: str, value: Any) -> str:
    plain = isinstance(value, str) and value and value.isprintable() and " " not in value and len(value) <= SHOWN
    return f"{flag(name)} {value if plain else _shown(value)}"


def _shown(value: Any) -> str:
    """A value for a message: short, and as TOML writes it."""
    try:
        text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    except ValueError:  # Python's limit of 4300 digits
        return "a very long number"
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def flag(name: str) -> str:
    """The flag of a size: `--d-model`."""
    return "--" + name.replace("_", "-")


def _parsed(name: str, value: Any, label: str) -> Any:
    if name == "name":
        if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
            raise InputError(f"{label}: a name is a short line of text")
        return value
    if name == "ff":
        return _widths(value, label)
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise InputError(f"{label}: not a choice; {nearest(str(value), CHOICES[name])}")
        return value
    if name in SWITCHES:
        if not isinstance(value, bool):
            raise InputError(f"{label}: true or false is needed")
        return value
    return _integer(value, label, 0 if name in MAY_BE_ZERO else 1)


def _integer(value: Any, label: str, least: int) -> int:
    kind = "an integer of at least 0" if least == 0 else "a positive integer"
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+(_[0-9]+)*\s*", value):
        value = int(value) if len(value) < 1000 else LARGEST + 1
    try:
        size = index(value)
    except TypeError:
        size = least - 1
    if isinstance(value, bool) or size < least:
        raise SizeError(f"{label}: {kind} is needed")
    if size > LARGEST:
        raise SizeError(f"{label}: {TOO_LARGE}")
    return size


def _widths(value: Any, label: str) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, int) and not isinstance(parts, bool):
        parts = [parts]
    if not isinstance(parts, list | tuple) or not parts or len(parts) > MOST_WIDTHS:
        raise SizeError(f"{label}: a list of 1 to {MOST_WIDTHS} hidden widths is needed, for instance 512,512")
    try:
        return tuple(_integer(part, f"the width {_shown(part)}", 1) for part in parts)
    except SizeError as error:
        raise SizeError(f"{label}: {error}; widths have commas between them, for instance 512,512") from None


def _check(c: Config, where: str) -> None:
    """Refuses sizes that do not go together, with the nearest that do."""
    if (conflicts := _conflicts(c)) and (message := MESSAGES[conflicts[0]](c)):
        raise SizeError(where + message)


def _conflicts(c: Config) -> list[str]:
    """What does not go together, the most basic first."""
    d_k = c.d_k or c.d_model // c.heads
    return [
        name
        for name, wrong in (
            ("layers", not c.enc and not c.dec),
            ("max_len", c.positions == "learned" and c.max_len and c.max_len < _longest(c)),
            ("d_k", c.d_k is None and c.d_model % c.heads),
            ("kv_heads", c.kv_heads and c.heads % c.kv_heads),
            ("rotary", c.positions == "rotary" and d_k % 2),
        )
        if wrong
    ]


def _longest(c: Config) -> int:
    return max(c.seq if c.enc or c.tgt_seq is None else 0, (c.tgt_seq or 0) if c.dec else 0)


def _no_layers(c: Config) -> str:
    return "--enc 0 --dec 0: a model needs a layer; give one of them at least 1"


def _too_long(c: Config) -> str:
    longest = _longest(c)
    return (
        f"--max-len {c.max_len}: a sequence of {longest} tokens does not fit; "
        f"at least --max-len {longest}, or at most --seq {c.max_len}"
    )


def _no_d_k(c: Config) -> str:
    whole = c.d_model // c.heads
    near = min(c.heads, c.d_model)
    options = [
        _option(c, "heads", range(near, 0, -1), range(near + 1, c.d_model + 1)),
        _option(c, "d_model", range(whole * c.heads, 0, -c.heads), range((whole + 1) * c.heads, LARGEST + 1, c.heads)),
        _option(c, "d_k", range(max(whole, 1), 0, -1), range(max(whole, 1) + 1, LARGEST + 1)),
    ]
    return (
        f"--d-model {c.d_model} --heads {c.heads}: d_k = d_model / heads is no integer; "
        f"nearest possible: {', or '.join(filter(None, options))}; "
        f"the default --d-k {Config.d_k} holds only while neither --d-model nor --heads is given"
    )


def _uneven_groups(c: Config) -> str:
    near = min(c.kv_heads or 1, c.heads)
    options = _option(c, "kv_heads", [*range(near, 0, -1)[:WINDOW], 1], [*range(near, c.heads + 1)[:WINDOW], c.heads])
    return (
        f"--kv-heads {c.kv_heads}: {c.heads} query heads cannot share {c.kv_heads} key/value heads evenly; "
        f"nearest possible: {options}"
    )


def _odd_pairs(c: Config) -> str:
    d_k = c.d_k or c.d_model // c.heads
    options = _option(c, "d_k", range(d_k - 1, 0, -1), range(d_k + 1, LARGEST + 1))
    return f"d_k = {d_k}: rotary positions turn pairs, so d_k is even; nearest possible: {options}"


MESSAGES: Mapping[str, Callable[[Config], str]] = {
    "layers": _no_layers,
    "max_len": _too_long,
    "d_k": _no_d_k,
    "kv_heads": _uneven_groups,
    "rotary": _odd_pairs,
}


def _option(c: Config, name: str, below: Sequence[int], above: Sequence[int]) -> str:
    """`--heads 4 or 8`: the first sizes below and above, searched for a while, that mend the conflict and make none."""
    before = set(_conflicts(c)[1:])

    def mends(size: int) -> bool:
        changes: dict[str, Any] = {name: size}
        return set(_conflicts(replace(c, **changes))) <= before

    firsts = (next(filter(mends, islice(sizes, WINDOW + 1)), None) for sizes in (below, above))
    found = dict.fromkeys(str(size) for size in firsts if size)
    return f"{flag(name)} {' or '.join(found)}" if found else ""
