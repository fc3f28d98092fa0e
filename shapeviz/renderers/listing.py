"""A list of things, none of them a model's tree: bundled models, differences; as text, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeviz.errors import InputError, nearest
from shapeviz.renderers._tables import Table


@dataclass(frozen=True)
class Column:
    """A key of the entries, its heading, and whether it holds numbers."""

    key: str
    heading: str
    number: bool = False


@dataclass(frozen=True)
class Listing:
    """Entries under a name, with a title; each entry has the keys of the columns, and may have more for JSON.

    `long` are the numbers of entries that tables leave out: JSON and CSV have them all.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    entries: tuple[Mapping[str, Any], ...]
    long: frozenset[int] = frozenset()


def table(listing: Listing) -> Table:
    """The list as a table of text: numbers in groups of three, a dash for what there is none of."""
    entries = [entry for number, entry in enumerate(listing.entries) if number not in listing.long]
    cells = tuple(tuple(_shown(entry[column.key]) for column in listing.columns) for entry in entries)
    headings = tuple(column.heading for column in listing.columns)
    right = frozenset(column.heading for column in listing.columns if column.number)
    return Table(headings, cells, (0,) * len(cells), (False,) * len(cells), right, listing.title)


def render_listings(title: str, listings: Sequence[Listing], format: str) -> str:
    """Lists under one title in one of their formats. Raises InputError for another."""
    makers: Mapping[str, Callable[[str, Sequence[Listing]], str]] = {
        "table": _text, "markdown": _markdown, "csv": _csv, "json": _json,
    }  # fmt: skip
    name = {"md": "markdown"}.get(format, format)
    if name not in makers:
        raise InputError(f"this list cannot be written as {format}; {nearest(format, ['md', *makers])}")
    return makers[name](title, listings)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _text(title: str, listings: Sequence[Listing]) -> str:
    from shapeviz.renderers.to_table import plain

    return "\n\n".join([title, *("\n".join(plain(table(listing))) for listing in listings if listing.entries)]) + "\n"


def _markdown(title: str, listings: Sequence[Listing]) -> str:
    from shapeviz.renderers.to_markdown import escape, grid

    parts = [f"## {escape(listing.title)}\n\n{grid(table(listing))}" for listing in listings if listing.entries]
    return "\n\n".join([f"# {escape(title)}", *parts]) + "\n"


def _csv(title: str, listings: Sequence[Listing]) -> str:
    """All lists as one, the name of each in its first column if there are several."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    several = len(listings) > 1
    for number, listing in enumerate(listings):
        keys = [column.key for column in listing.columns]
        if number == 0:
            lines.writerow([*(["part"] if several else []), *keys])
        lines.writerows([*([listing.name] if several else []), *(e[key] for key in keys)] for e in listing.entries)
    return out.getvalue()


def _json(title: str, listings: Sequence[Listing]) -> str:
    found = {listing.name: [dict(entry) for entry in listing.entries] for listing in listings}
    return json.dumps({"schema": "shapeviz-list/1", "title": title, **found}, ensure_ascii=False, indent=1) + "\n"
