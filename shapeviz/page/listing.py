"""Lists of things that are no model's tree: bundled models, differences, tokenizers; each a table of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from shapeviz.page import Cell, Code, Page, Short, Table, worded
from shapeviz.wording import exact, rounded


@dataclass(frozen=True)
class Column:
    """A key of the entries, its heading, and whether it holds numbers.

    Of counts, whose `unit` is "", or "B" for bytes, or the entry's, there is a rounded form for where room is short.
    """

    key: str
    heading: str
    number: bool = False
    unit: str | Callable[[Mapping[str, object]], str] | None = None


@dataclass(frozen=True)
class Listing:
    """Entries under a name, with a title; each entry has the keys of the columns, and may have more for JSON.

    `long` are the numbers of entries that tables leave out: JSON and CSV have them all. `narrow` are the headings of
    columns that are shortened, or leave, where a terminal is too narrow for all.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    entries: tuple[Mapping[str, object], ...]
    long: frozenset[int] = frozenset()
    narrow: tuple[str, ...] = ()


def listed(title: str, *listings: Listing) -> Page:
    """Lists under one title, as a page; those without entries to be shown are left to JSON."""
    return Page(
        title,
        tuple(table(one) for one in listings if len(one.entries) > len(one.long)),
        data=lambda: _data(title, listings),
        sheet=lambda: _sheet(listings),
    )


def table(listing: Listing) -> Table:
    """The list as a table: numbers in groups of three, a dash for what there is none of."""
    entries = [entry for number, entry in enumerate(listing.entries) if number not in listing.long]
    return Table(
        tuple(column.heading for column in listing.columns),
        tuple(tuple(_cells(listing, entry)) for entry in entries),
        right=frozenset(column.heading for column in listing.columns if column.number),
        heading=listing.title,
        narrow=listing.narrow,
        short={column.heading: _short(column, entries) for column in listing.columns if column.unit is not None},
    )


def _short(column: Column, entries: Iterable[Mapping[str, object]]) -> Short:
    unit = column.unit if callable(column.unit) else lambda _: str(column.unit)
    return Short(column.heading, tuple(_rounded(entry[column.key], unit(entry)) for entry in entries))


def _rounded(value: object, unit: str) -> str:
    if not isinstance(value, int | Fraction):
        return _shown(value)
    return f"-{rounded(-value, unit)}" if value < 0 else rounded(value, unit)


def _cells(listing: Listing, entry: Mapping[str, object]) -> Iterator[Cell]:
    first, *others = (_shown(entry[column.key]) for column in listing.columns)
    yield Code(first)
    yield from map(worded, others)


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return exact(value) if isinstance(value, int | Fraction) else str(value)


def _data(title: str, listings: Sequence[Listing]) -> dict[str, Any]:
    entries = {listing.name: [_exact(entry) for entry in listing.entries] for listing in listings}
    return {"schema": "shapeviz-list/1", "title": title, **entries}


def _exact(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry for JSON: ratios as exact text `p/q`, and under `decimal` as people read them."""
    ratios = {key: value for key, value in entry.items() if isinstance(value, Fraction)}
    decimal = {"decimal": {key: float(value) for key, value in ratios.items()}} if ratios else {}
    return {**entry, **{key: str(value) for key, value in ratios.items()}, **decimal}


def _sheet(listings: Sequence[Listing]) -> Iterator[Sequence[object]]:
    """All lists as one, the name of each in its first column if there are several."""
    several = len(listings) > 1
    for number, listing in enumerate(listings):
        keys = [column.key for column in listing.columns]
        if number == 0:
            yield ["part"] * several + keys
        for entry in listing.entries:
            yield [listing.name] * several + [entry[key] for key in keys]
