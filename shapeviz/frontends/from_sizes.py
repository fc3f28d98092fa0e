"""Sizes from flags, a TOML file or a dict: parsed, checked against each other, and made a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.files import read_text
from shapeviz.ir import Model
from shapeviz.models.transformer import Config, build

LARGEST = 10**50
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
        data = tomllib.loads(read_text(path, "a TOML file of sizes"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: no TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a file of sizes") from None
    table = data.pop("model", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: `model` is a table of sizes, [model]")
    return {**data, **table}


def model(base: Mapping[str, Any], given: Mapping[str, Any], source: str) -> Model:
    """The model of sizes, those in `given` before those in `base` before the defaults.

    Raises InputError for unknown names and SizeError for impossible sizes, with the nearest possible ones.
    """
    sizes: dict[str, Any] = {}
    for where, values in ((source, base), ("", given)):
        for key, value in values.items():
            name = str(key).replace("-", "_")
            if name not in NAMES:
                raise InputError(f"{where + ': ' if where else ''}unknown size {key!r}; {nearest(name, NAMES)}")
            label = f"{where}: {key} = {value!r}" if where else f"{flag(name)} {value}"
            sizes[name] = _parsed(name, value, label)
    if "d_k" not in sizes and sizes.keys() & {"d_model", "heads"}:
        sizes["d_k"] = None
    config = Config(**sizes)
    _check(config)
    return build(config, source)


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
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,60}(_?\d+)*\s*", value) and len(value) < 80:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SizeError(f"{label}: {kind} is needed")
    if value > LARGEST:
        raise SizeError(f"{label[:40]}…: larger than 10⁵⁰, the largest size that is taken")
    return value


def _widths(value: Any, label: str) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, int) and not isinstance(parts, bool):
        parts = [parts]
    if not isinstance(parts, list | tuple) or not parts or len(parts) > 1000:
        raise SizeError(f"{label}: a list of hidden widths is needed, for instance 512,512")
    try:
        return tuple(_integer(part, "", 1) for part in parts)
    except SizeError:
        wrong = next(part for part in parts if not _is_size(part))
        raise SizeError(
            f"{label}: {wrong!r} is no width; positive integers with commas, for instance 512,512"
        ) from None


def _is_size(value: Any) -> bool:
    try:
        return _integer(value, "", 1) > 0
    except SizeError:
        return False


def _check(c: Config) -> None:
    """Refuses sizes that do not go together, with the nearest that do."""
    if not c.enc and not c.dec:
        raise SizeError("--enc 0 --dec 0: a model needs a layer; give one of them at least 1")
    if c.kv_heads and c.heads % c.kv_heads:
        options = _closest(c.kv_heads, lambda g: c.heads % g == 0)
        raise SizeError(
            f"--kv-heads {c.kv_heads}: {c.heads} query heads cannot share {c.kv_heads} key/value heads evenly; "
            f"nearest possible: --kv-heads {options}"
        )
    if c.d_k is None and c.d_model % c.heads:
        heads = _closest(c.heads, lambda h: c.d_model % h == 0)
        widths = " or ".join(
            str(c.d_model // c.heads * c.heads + step) for step in (0, c.heads) if c.d_model + step > c.heads
        )
        raise SizeError(
            f"--d-model {c.d_model} --heads {c.heads}: d_k = d_model / heads is no integer; nearest possible: "
            f"--heads {heads}, or --d-model {widths}, or give --d-k"
        )
    d_k = c.d_k or c.d_model // c.heads
    if c.positions == "rotary" and d_k % 2:
        raise SizeError(
            f"d_k = {d_k}: rotary positions turn pairs, so d_k is even; nearest: --d-k {d_k - 1 or 2} or {d_k + 1}"
        )
    longest = max(c.seq if c.enc or c.tgt_seq is None else 0, (c.tgt_seq or 0) if c.dec else 0)
    if c.max_len and c.max_len < longest:
        raise SizeError(
            f"--max-len {c.max_len}: a sequence of {longest} tokens does not fit; at least --max-len {longest}"
        )


def _closest(start: int, possible: Callable[[int], bool]) -> str:
    """The nearest possible numbers below and above, searched for a while."""

    def first(numbers: range) -> Iterator[str]:
        return (str(n) for n in numbers if possible(n))

    below, above = range(start, max(0, start - 10_000), -1), range(start + 1, start + 10_000)
    found = [hit for numbers in (below, above) if (hit := next(first(numbers), ""))]
    return " or ".join(found) or "1"
