"""Keys of a model's description: what each may be, and how a value is read from a file or a flag, or refused.

A family's Config says of every key what it is: `layers: int = key(12)`, `vocab: int | None = size("V")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from fractions import Fraction
from operator import index
from typing import Any, NamedTuple

from shapeviz import symbols
from shapeviz.errors import InputError, SizeError, nearest

LARGEST = 10**50
TOO_LARGE = "larger than 10⁵⁰, the largest size that is taken"
SHOWN = 60  # characters of a value in a message
MOST_WIDTHS = 100
NO_TEXTS = ("true", "false", "null")  # bare they are read as what they are not

SYNONYMS = {
    "rope": "rotary", "sine": "sinusoidal", "sin": "sinusoidal", "sincos": "sinusoidal", "absolute": "learned",
    "rmsnorm": "rms", "layernorm": "layer", "prenorm": "pre", "postnorm": "post", "off": "none", "no": "none",
    "half": "float16", "fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "float": "float32",
    "fp8": "float8_e4m3fn", "double": "float64", "fp64": "float64",
}  # fmt: skip
"""What others call one of our words."""
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "B": 3, "T": 4, "P": 5, "E": 6}
NUMERAL = re.compile(
    r"([+-]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*)(\.[0-9]+)? ?((?:[KMGTPE]i?)?B?)", re.IGNORECASE
)

Whole = Callable[[Any], Any]
"""How a source writes integers: makes an int of what it means as one, and leaves everything else as it is."""


class Kind(NamedTuple):
    """What the value of a key may be: `needed` says it in words, `metavar` stands for it in the help of a flag.

    `take` is given a value, the label for messages and how its source writes integers; it gives the value as the
    program takes it, or raises InputError or SizeError with the label first.
    """

    needed: str
    take: Callable[[Any, str, Whole], Any]
    metavar: str = "N"


def at_least(least: int) -> Kind:
    """An integer of at least that."""
    needed = "a positive integer" if least == 1 else f"an integer of at least {least}"
    return Kind(needed, lambda value, label, whole: integer(value, label, needed, least, whole))


def plain(types: tuple[type, ...], needed: str) -> Kind:
    """A value of a Python type that is taken as it is: a switch, a text, a number."""

    def take(value: object, label: str, whole: Whole) -> Any:
        # true is an int to Python, and no number to a reader
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise InputError(f"{label}: {needed} is needed")
        return value

    return Kind(needed, take)


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def take(value: object, label: str, whole: Whole) -> str:
        if value not in words:
            meant = SYNONYMS.get(str(value).lower(), str(value))
            raise InputError(f"{label}: not a choice; {nearest(meant, words)}")
        return str(value)

    return Kind(" or ".join(words), take, "|".join(words))


def list_of(kind: Kind, needed: str) -> Kind:
    """A list of values of one kind."""

    def take(value: object, label: str, whole: Whole) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise InputError(f"{label}: {needed} is needed")
        return tuple(kind.take(item, label, whole) for item in value)

    return Kind(needed, take)


def integer_or(other: Kind) -> Kind:
    """A positive integer, or what stands for several or for a rule: a list of sizes, the word "auto".

    >>> integer_or(one_of("auto")).take("auto", "time_step_rank = auto", as_it_is)
    'auto'
    """
    needed = f"{SIZE.needed}, or {other.needed}"

    def take(value: object, label: str, whole: Whole) -> Any:
        if isinstance(whole(value), int):
            return SIZE.take(value, label, whole)
        try:
            return other.take(value, label, whole)
        except (InputError, SizeError):
            raise SizeError(f"{label}: {needed} is needed") from None

    return Kind(needed, take)


def _line(value: object, label: str, whole: Whole) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise InputError(f"{label}: {LINE.needed} is needed")
    return value


def _widths(value: object, label: str, whole: Whole) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    parts = [parts] if isinstance(parts, int) and not isinstance(parts, bool) else parts
    if not isinstance(parts, list | tuple) or not 1 <= len(parts) <= MOST_WIDTHS:
        raise SizeError(f"{label}: {WIDTHS.needed} is needed, for instance 512,512")
    try:
        return tuple(SIZE.take(part, f"the width {shown(part)}", whole) for part in parts)
    except SizeError as error:
        text = f"{error}; widths have commas between them, for instance 512,512"
        raise SizeError(f"{label}: {text}") from None


SIZE, COUNT = at_least(1), at_least(0)
SWITCH = plain((bool,), "true or false")
TEXT = plain((str,), "a text")
NUMBER = plain((int, float), "a number")
TEXTS = list_of(TEXT, "a list of texts")
INTEGERS = list_of(COUNT, "a list of integers of at least 0")
SIDES = integer_or(list_of(SIZE, "a list of them"))
LINE = Kind("a short line of text", _line)
WIDTHS = Kind(f"a list of 1 to {MOST_WIDTHS} hidden widths", _widths, "N,N,…")


class Key(NamedTuple):
    """What is known of a key besides its name and default: its kind, whether null may stand there, its letter, and what
    the help of its flag says."""

    kind: Kind
    null: bool = False
    letter: str = ""
    help: str = ""


def key(
    default: Any, kind: Kind | None = None, *, may_be_zero: bool = False, null: bool | None = None, help: str = ""
) -> Any:
    """The field of a Config for a key: of the kind that is named, else of that of its default, else a positive integer.

    `null` says that the key may be null; without it only a key that is so by default may. A key with `help` has a flag.
    """
    kind = kind or _kind(default, may_be_zero)
    spoken = {True: "yes", False: "no"}.get(default, default)
    text = f"{help} Default: {spoken}." if help else ""
    return _field(default, Key(kind, default is None if null is None else null, "", text))


def size(letter: str, *, may_be_zero: bool = False) -> Any:
    """The field of a Config for a size of the glossary, with the default and the help that stand there."""
    symbol = symbols.BY_LETTER[letter]
    kind = WIDTHS if symbol.many else COUNT if may_be_zero else SIZE
    return _field(symbol.default, Key(kind, True, letter, _with_default(symbol)))


def _field(default: object, key: Key) -> Any:
    return field(default=default, metadata={"key": key})


def _kind(default: object, may_be_zero: bool) -> Kind:
    """The kind of a default; true is an int to Python, so switches come first."""
    for types, kind in ((bool, SWITCH), (str, TEXT), (float, NUMBER)):
        if isinstance(default, types):
            return kind
    return COUNT if may_be_zero else SIZE


def _with_default(symbol: symbols.Symbol) -> str:
    """The help of a size's flag, its default at the end."""
    number = ",".join(map(str, symbol.default)) if isinstance(symbol.default, tuple) else symbol.default
    defaults = [str(text) for text in (number, symbol.follows) if text]
    return f"{symbol.help} Default: {', '.join(defaults)}." if defaults else symbol.help


def keys(config: type) -> Mapping[str, Key]:
    """The keys of a Config, by name. Raises InputError for a field that says not what it may be."""
    by_name: dict[str, Key] = {}
    for entry in fields(config):
        if "key" not in entry.metadata:
            raise InputError(f"{config.__module__}: {entry.name} of its Config says not what it may be: write key(…)")
        by_name[entry.name] = entry.metadata["key"]
    return by_name


def read(key: Key, value: object, label: str, whole: Whole) -> Any:
    """The value of a key. Raises InputError or SizeError, with the label first."""
    if value is None:
        if key.null:
            return None
        raise InputError(f"{label}: {key.kind.needed} is needed; leave the key out for its default")
    return key.kind.take(value, label, whole)


def integer(value: object, label: str, needed: str, least: int, whole: Whole, largest: int = LARGEST) -> int:
    """An integer from `least` to `largest`. Raises SizeError."""
    try:
        number = index(whole(value))
    except TypeError:
        raise SizeError(f"{label}: {needed} is needed") from None
    if isinstance(value, bool) or number < least:
        raise SizeError(f"{label}: {needed} is needed")
    if number > largest:
        most = TOO_LARGE if largest == LARGEST else f"larger than {largest}, the largest size of a tensor"
        raise SizeError(f"{label}: {most}")
    return number


def as_it_is(value: object) -> Any:
    """Of a source whose integers are Python's own."""
    return value


def from_json(value: object) -> Any:
    """JSON knows one kind of numbers: 4096.0 is 4096, as far as every integer is a float."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def from_text(value: object) -> Any:
    """Flags are texts, and a TOML file may have texts where numbers are meant: "5_1_2" is 512, "4k" is 4000.

    >>> from_text("32k"), from_text("4Ki"), from_text("2**12"), from_text("1.5B"), from_text("many")
    (32000, 4096, 4096, 1500000000, 'many')
    """
    number = numeral(value) if isinstance(value, str) else None
    return value if number is None else number


def numeral(text: str) -> int | None:
    """The whole number that a text says: 1_024, "1,024", 4k = 4000, 4Ki = 4096, 1.5B, 2 GiB, 2**12; None if none.

    K, M, B or G, T, P, E are powers of a thousand, with an i those of 1024; more than anybody takes is LARGEST + 1.
    """
    text = text.strip()
    if power := re.fullmatch(r"([0-9]{1,40})(?:\*\*|\^)([0-9]{1,40})", text):
        base, exponent = map(int, power.groups())
        return base**exponent if base < 2 or exponent * base.bit_length() < 1000 else LARGEST + 1
    if not (found := NUMERAL.fullmatch(text)):
        return None
    digits, unit = re.sub("[_,]", "", found[2] + (found[3] or "")), found[4].upper()
    if len(digits) >= 1000:  # Python converts no more than 4300 digits
        return LARGEST + 1 if not found[3] else None
    step = 1024 if "I" in unit else 1000
    number = Fraction(digits) * step ** POWERS[unit[:1]]
    return int(number) * (-1 if found[1] == "-" else 1) if number.denominator == 1 else None


def whole(text: str) -> int | None:
    """The number that a text of plain digits says, as many as nobody needs; None for any other text.

    >>> whole("32"), whole("-1"), whole("²")
    (32, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def shown(value: object) -> str:
    """A value for a message: short, and as JSON writes it.

    >>> shown(True), shown("silu"), shown([1, 2])
    ('true', 'silu', '[1, 2]')
    """
    if isinstance(value, str) and value.isidentifier() and len(value) <= SHOWN and value not in NO_TEXTS:
        return value
    if type(value) is int and abs(value) < LARGEST:
        return str(value)
    import json

    try:
        text = value.isoformat() if hasattr(value, "isoformat") else json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python's limit of 4300 digits
        return "a very long number"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
