"""The TOML file of claims: figures of a hand-made analysis, each with the path of the block that it is about."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shapeviz.claims import arithmetic
from shapeviz.claims.arithmetic import Sum
from shapeviz.errors import InputError, nearest
from shapeviz.files import read_text
from shapeviz.report import Report

WHOLE = ""  # the path of the model, also written "model" or "total"
EXAMPLE = '[[claim]] with path = "encoder.layer" and params = 4_465_920'
LARGEST = 10**1000
AXES = 64


@dataclass(frozen=True)
class Claim:
    """One entry of the file: what it is about, and the figures that it gives.

    `paths` are rows of the report, or "" for the whole model; none for a bare sum. `all` means all instances in the
    model together. `counts` are claimed by the name of their column and hold for all `paths` added up, `shape` each.
    """

    number: int
    line: int = 0
    label: str = ""
    quote: str = ""
    paths: tuple[str, ...] = ()
    all: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    sum: Sum | None = None
    equals: int | None = None

    @property
    def name(self) -> str:
        """`claim 3 (decoder layer)`."""
        return f"claim {self.number}" + (f" ({self.label})" if self.label else "")

    @property
    def place(self) -> str:
        """`claim 3 (line 17)`."""
        return f"claim {self.number}" + (f" (line {self.line})" if self.line else "")


def read(path: Path, report: Report) -> tuple[Claim, ...]:
    """The claims of a file about the model of a report. Raises InputError, with file, claim and line."""
    text = read_text(path, "a TOML file of claims").removeprefix("\ufeff")
    with within(str(path)):
        tables = _tables(text)
    lines = [n for n, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[\s*claim\s*\]\]", line)]
    claims = []
    for number, table in enumerate(tables, 1):
        start = Claim(number, lines[number - 1] if len(lines) == len(tables) else 0)
        with within(f"{path}, {start.place}"):
            claims.append(_claim(start, table, report))
    return tuple(claims)


@contextmanager
def within(place: str) -> Iterator[None]:
    """Puts the place before the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _tables(text: str) -> list[dict[str, Any]]:
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise InputError("nested too deeply for a file of claims") from None
    except ValueError as error:
        raise InputError(_explained(str(error), text)) from None
    if unknown := next((key for key in data if key not in ("title", "source", "claim")), None):
        raise InputError(f"unknown key {_shown(unknown)}; {nearest(unknown[:99], ['title', 'source', 'claim'])}")
    for key in ("title", "source"):
        _text(data, key)
    tables = data.get("claim", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"a claim is a table in double brackets, {EXAMPLE}")
    if not tables:
        raise InputError(f"no claim: each is a table, {EXAMPLE}")
    return tables


def _explained(error: str, text: str) -> str:
    """What the parser says, the line that it says it of, and how to mend the likeliest cause."""
    message = f"not TOML: {error.partition(';')[0]}"
    if place := re.search(r"at (?:line (\d+)|end of document)", error):
        lines = text.rstrip("\n").split("\n")
        number = min(int(place[1] or len(lines)), len(lines))
        line = lines[number - 1].strip()[:99]
        message += f"\n  {number} | {line if line.isprintable() else ascii(line)}"
        if re.search(r"=\s*[0-9]{1,3}(,[0-9]{3})+", line):
            message += "\n  in TOML thousands are set off as 7_617_024, or the number is put in quotes"
    return message


def _claim(start: Claim, table: Mapping[str, object], report: Report) -> Claim:
    keys = ["label", "quote", "path", "paths", "all", *report.columns, "shape", "sum", "equals"]
    if unknown := next((key for key in table if key not in keys), None):
        raise InputError(f"unknown key {_shown(unknown)}; {nearest(unknown[:99], keys)}")
    claim = replace(
        start,
        label=_text(table, "label"),
        quote=_text(table, "quote"),
        paths=_paths(table, [row.path for row in report.rows]),
        all=_switch(table, "all"),
        counts={name: _count(name, table[name]) for name in report.columns if name in table},
        shape=_shape(table["shape"]) if "shape" in table else None,
        sum=_sum(table),
        equals=_count("equals", table["equals"]) if "equals" in table else None,
    )
    _check(claim, " or ".join([f"{name} = …" for name in report.columns]))
    return claim


def _check(claim: Claim, counts: str) -> None:
    """Refuses a claim whose parts do not make one."""
    has_path, has_sum, has_equals = bool(claim.paths), claim.sum is not None, claim.equals is not None
    has_value = bool(claim.counts or claim.shape)
    rules = [
        (has_equals and not has_sum, "equals is the right side of a sum: add sum = …"),
        (has_value and not has_path, 'a value of what? Add path = "…", the block that has it, or path = "model"'),
        (has_sum and not has_path and not has_equals, "a sum of what value? Add equals = …, what it should come to"),
        (has_path and has_equals, f"equals is for a sum without a path: with one, give {counts}"),
        (
            has_path and has_sum and len(claim.counts) != 1,
            f"a sum derives one value: give just one of {counts} with it",
        ),
        (
            not has_value and not has_sum,
            f"no value is claimed: add {counts} or shape = […] to a path, or sum and equals",
        ),
        (claim.shape is not None and WHOLE in claim.paths, "a shape belongs to a block: give its path"),
        (
            WHOLE in claim.paths and len(claim.paths) > 1,
            "the model is the whole: in paths it is not added to its parts",
        ),
        (claim.all and not claim.counts, f"all multiplies a count: it goes with {counts} of a path"),
    ]
    for broken, message in rules:
        if broken:
            raise InputError(message)


def _paths(table: Mapping[str, object], known: list[str]) -> tuple[str, ...]:
    if "path" in table and "paths" in table:
        raise InputError("path and paths: one of them is enough")
    paths_given = [table["path"]] if "path" in table else table.get("paths", [])
    if not isinstance(paths_given, list) or not all(isinstance(path, str) for path in paths_given):
        raise InputError('a path is text, as in path = "encoder.layer" or paths = ["a.query", ".key", ".value"]')
    if "paths" in table and not paths_given:
        raise InputError("paths is empty: name the blocks whose values are added up")
    paths: list[str] = []
    for path in paths_given:
        full = paths[0].rpartition(".")[0] + path if path.startswith(".") and paths else path
        paths.append(_path(full, path, known))
        if paths.count(paths[-1]) > 1:
            raise InputError(f"{_shown(path)} is named twice in paths")
    return tuple(paths)


def _path(full: str, written: str, known: list[str]) -> str:
    if full in known:
        return full
    if full in ("", "model", "total"):
        return WHOLE
    raise InputError(f"no block {_shown(written)}; {nearest(full[:199], known)}")


def _text(table: Mapping[str, object], key: str) -> str:
    text = table.get(key, "")
    if not isinstance(text, str):
        raise InputError(f"{key} = {_shown(text)} is not text: put it in quotes")
    text = " ".join(text.split())
    if not text.isprintable():
        raise InputError(f"{key} = {_shown(text)}: control characters are not text")
    return text


def _switch(table: Mapping[str, object], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"{key} = {_shown(value)}: true or false is needed")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, str) and len(value) < 999 and arithmetic.NUMBER.fullmatch(value.strip()):
        value = int(arithmetic.digits(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} = {_shown(value)} is not a whole number: write it as {key} = 7_617_024")
    if value < 0:
        raise InputError(f"{key} = {_shown(value)} is negative: counts are at least 0")
    if value > LARGEST:
        raise InputError(f"{key} is beyond 10^1000: no count of a model is that large")
    return value


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= AXES:
        raise InputError(f"shape = {_shown(value)} is not a list of sizes: write it as shape = [32, 4096, 1024]")
    shape = tuple(_count("a size of shape", size) for size in value)
    if 0 in shape:
        raise InputError("a size of shape = 0: sizes are at least 1")
    return shape


def _sum(table: Mapping[str, object]) -> Sum | None:
    if "sum" not in table:
        return None
    text = table["sum"]
    if not isinstance(text, str):
        raise InputError(f'sum = {_shown(text)} is not text: write it as sum = "6 × 4_465_920"')
    with within(f"sum = {_shown(text)}"):
        return arithmetic.parse(text)


def _shown(value: object) -> str:
    """A value of the file in a message: short, and never nested."""
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number beyond 10^1000"
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
