"""Pages as data: what a verb shows, as tables, pictures and text, and the object and the sheet behind it.

Cells and lines are made of spans that say what they are (a name, a formula, a shape), so that each format can write
them its own way: `plain` is how a terminal shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, Union

from shapeviz.expr import Expr, notation
from shapeviz.wording import legible

if TYPE_CHECKING:
    from shapeviz.figure import Figure


class Written(Protocol):
    """An expression, a quantity, or what else can be written in a notation."""

    def written(self, way: notation.Notation, factored: bool = False) -> str: ...


class Code(NamedTuple):
    """A name, a path or a command, letter by letter."""

    text: str

    def __str__(self) -> str:
        return self.text


class Strong(NamedTuple):
    """What a reader looks for first."""

    text: str

    def __str__(self) -> str:
        return self.text


class Equation(NamedTuple):
    """An equation as its paper has it, or what an operation does, in words."""

    text: str

    def __str__(self) -> str:
        return self.text


class Shape(NamedTuple):
    """A shape, `(B, S, h·d_k)`; with `numbers` their values, `(32, 4096, 768)`, where there are some."""

    dims: tuple[Expr, ...]
    numbers: tuple[int | None, ...] = ()

    @property
    def sizes(self) -> tuple[Expr | int, ...]:
        """Its sizes, one by one, numbers where they are to be shown and known."""
        numbers = self.numbers or (None,) * len(self.dims)
        return tuple(size if number is None else number for size, number in zip(self.dims, numbers, strict=True))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.sizes))})"


class Formula(NamedTuple):
    """A formula; with `numbers` their values stand in place of the names: `3 × 6 × (1024 × 128 + 128)`."""

    value: Written
    numbers: Mapping[str, int] | None = None
    factored: bool = True

    def __str__(self) -> str:
        return self.written(notation.TEXT, " × ")

    def written(self, way: notation.Notation, times: str) -> str:
        """In a notation, with the sign that it has for the product of two numbers."""
        numbers = self.numbers
        if numbers is not None:
            symbol = way.symbol
            way = replace(way, times=times, symbol=lambda name: str(numbers[name]) if name in numbers else symbol(name))
        return self.value.written(way, factored=self.factored)


Span: TypeAlias = Union[str, Code, Strong, Equation, Shape, Formula]
Cell: TypeAlias = Union[Span, tuple[Span, ...]]


def spans(cell: Cell) -> tuple[Span, ...]:
    """A cell or a line as its spans."""
    return (cell,) if isinstance(cell, str | Code | Strong | Equation | Shape | Formula) else cell


def worded(text: str) -> Cell:
    """A cell for a text of unknown kind: a number or a share as it is, everything with letters or operators as Code.

    >>> worded("1,024 ▏"), worded("d_k")
    ('1,024 ▏', Code(text='d_k'))
    """
    return Code(text) if re.search(r"[^\d,.%\s█▏▎▍▌▋▊▉]", text) else text


def plain(cell: Cell) -> str:
    """A cell or a line as text.

    >>> plain(("of ", Code("decoder.layer"), ": ", Shape((Expr.of("B"), Expr.of("S")))))
    'of decoder.layer: (B, S)'
    """
    return legible("".join(map(str, spans(cell))))


class Short(NamedTuple):
    """A column for which there is little room: its head and its cells."""

    head: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells in columns; the first column's entries stand at a depth of the tree, `blocks` are those that hold others.

    Without `depths` the table is flat. Right-aligned columns are named. `heading` stands over the table, lines stand
    `above` and `below` it. The cells of an `aligned` one are equal to each other from the second on: a label, formula,
    substitution and value. A `minor` one stands within a section. One of a `document` is left out where there is no
    room for more than the result.

    Where a terminal is too narrow, the text of the columns `under` goes on below its row, and then the columns of
    `narrow` leave, one after another; one that is `short` as well is shortened first, and leaves if it comes again.
    Several go together; one that has left comes back if it comes once more.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    depths: tuple[int, ...] = ()
    blocks: tuple[bool, ...] = ()
    right: frozenset[str] = frozenset()
    heading: str = ""
    above: tuple[Cell, ...] = ()
    below: tuple[Cell, ...] = ()
    aligned: bool = False
    minor: bool = False
    document: bool = False
    under: frozenset[str] = frozenset()
    narrow: tuple[str | tuple[str, ...], ...] = ()
    short: Mapping[str, Short] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flat = len(self.rows)
        object.__setattr__(self, "depths", self.depths or (0,) * flat)
        object.__setattr__(self, "blocks", self.blocks or (False,) * flat)


class Text(NamedTuple):
    """A section of words: paragraphs, then a list, then text that is shown as it is, `code`."""

    heading: Cell = ""
    lines: tuple[Cell, ...] = ()
    items: tuple[Cell, ...] = ()
    code: str = ""
    level: int = 2
    document: bool = False


class Picture(NamedTuple):
    """A figure under its title: as a `link` to a file that has it drawn, or as data, to be drawn in place.

    A `minor` one stands within a section, without a heading of its own.
    """

    title: str
    link: str = ""
    figure: Figure | None = None
    minor: bool = False


class Header(NamedTuple):
    """What is true of the whole page of a model: where it is from, and its sizes.

    `sizes` (`B = 32`), `derived` (`d_k = d_model/h`) and `letters` (`B batch`) are those that the page speaks of;
    `glossary` is all letters with meaning and number, None for one without.
    """

    source: str
    sizes: tuple[str, ...]
    derived: tuple[str, ...]
    letters: tuple[str, ...]
    glossary: tuple[tuple[str, str, int | None], ...]


Part: TypeAlias = Union[Table, Text, Picture]
Sheet: TypeAlias = Iterable[Sequence[object]]


class Deferred:
    """Parts that are made when somebody reads them: JSON and CSV never do, and most of a page's time is in them."""

    def __init__(self, make: Callable[[], Iterable[Part]]) -> None:
        self.make = make

    @cached_property
    def made(self) -> tuple[Part, ...]:
        """The parts, made once."""
        return tuple(self.make())

    def __iter__(self) -> Iterator[Part]:
        return iter(self.made)


@dataclass(frozen=True)
class Page:
    """What a verb shows: a title, a header if it is about one model, and the parts.

    `data` makes the object that JSON holds, `sheet` the lines of a spreadsheet, headings first; `figure` draws one by
    its name, and is None for a page that has none.
    """

    title: str
    parts: Iterable[Part]
    header: Header | None = None
    data: Callable[[], Mapping[str, object]] = dict
    sheet: Callable[[], Sheet] = tuple
    figure: Callable[[str], Figure] | None = None
