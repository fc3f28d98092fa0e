"""What flags and keywords set anew in a configuration, made Overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeviz.errors import InputError, nearest
from shapeviz.frontends.numbers import checked, positive
from shapeviz.symbols import LETTERS, flag


@dataclass(frozen=True)
class Overrides:
    """Sizes by letter or key, a head or none, a class, keys to be passed over; `typed` is how the sizes were given."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    head: bool | None = None
    class_name: str | None = None
    ignore: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)


def overrides(settings: Mapping[str, Any], class_name: str | None = None) -> Overrides:
    """The overrides that keywords make: `sizes={"N": 16}`, `batch=8`, `head=False`, `ignore=["key"]`.

    Raises InputError for other keywords and for a size that is given twice, SizeError for what is no size.
    """
    if not isinstance(settings.get("sizes") or {}, Mapping) or not all(
        isinstance(n, str) for n in settings.get("sizes") or {}
    ):
        raise InputError(f"sizes = {settings['sizes']!r}: a dict of sizes by letter or key is needed, {{'N': 16}}")
    if not isinstance(settings.get("ignore") or (), str | list | tuple):
        raise InputError(f"ignore = {settings['ignore']!r}: a list of keys is needed")
    sizes = checked(settings.get("sizes") or {}, "--size")
    typed = {name: f"--size {name}={size}" for name, size in sizes.items()}
    for name, value in settings.items():
        if name in ("sizes", "head", "ignore"):
            continue
        if name not in LETTERS:
            choices = [*LETTERS, "sizes", "head", "ignore", "via"]
            raise InputError(f"a configuration takes no {name}; {nearest(name, choices)}")
        letter, label = LETTERS[name], f"{flag(name)} {value}"
        if letter in sizes:
            raise InputError(f"{label}: {letter} is given by --size as well: keep one")
        sizes[letter] = positive(value, label)
        typed[letter] = label
    head, ignore = settings.get("head"), settings.get("ignore") or ()
    if head not in (True, False, None):
        raise InputError(f"head = {head!r}: True, False, or None for what the configuration says")
    return Overrides(sizes, head, class_name, (ignore,) if isinstance(ignore, str) else tuple(ignore), typed)
