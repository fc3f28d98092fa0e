"""Tables fitted to the width of a terminal: columns leave in the order that a table says, formulas go under their row.

Without a width a table has all its columns, each as wide as its widest cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from shapeviz.page import Cell, Table, plain
from shapeviz.renderers._wrap import columns, least, padded, wrapped

GAP = "  "
NAME = 16  # columns that the names of a tree have at least
BESIDE = 12  # columns that a formula beside its row has at least
LONGER = 1.3  # lines that a row may take on average before a column leaves


class Piece(NamedTuple):
    """Some signs of a line, and what they are: of a column by its name, `stem`, `block`, `columns`, or just words."""

    text: str
    kind: str = ""


Line = tuple[Piece, ...]


def fitted(table: Table, width: int | None = None) -> tuple[list[Line], list[str]]:
    """The heads of the columns and the rows, in lines of at most this width; and the columns that had to leave."""
    whole = _whole(table)
    if width is None or whole.width <= width:
        return whole.lines(width), []
    best, fewest = None, _records(whole, width)
    for layout, rounds in _narrower(whole):
        if rounds and best and table.under:
            break  # digits go only where nothing else makes room
        fit = layout.within(width)
        if fit is None:
            continue
        lines = fit.lines(width)
        if best is None or len(lines) < len(fewest):
            best, fewest = fit, lines
        if len(lines) <= LONGER * len(table.rows):
            break
    left = {*range(len(table.columns))} - ({*best.grid, *best.flow} if best else {*range(len(table.columns))})
    return fewest, [table.columns[i] for i in sorted(left)]


@dataclass(frozen=True)
class _Layout:
    """The columns of a table by number: those in a `grid`, below each other, and those whose text flows after it.

    `limits` are columns that must do with less room than their widest cell needs.
    """

    table: Table
    heads: Mapping[int, str]
    texts: Mapping[int, tuple[str, ...]]
    grid: tuple[int, ...]
    flow: tuple[int, ...] = ()
    limits: Mapping[int, int] = field(default_factory=dict)
    narrow: bool = False

    @cached_property
    def stems(self) -> list[str]:
        """The lines of the tree before each name."""
        return branches(self.table.depths)

    @cached_property
    def tree(self) -> bool:
        return any(self.table.depths)

    @cached_property
    def right(self) -> set[int]:
        return {i for i, name in enumerate(self.table.columns) if name in self.table.right}

    @cached_property
    def widths(self) -> dict[int, int]:
        """How wide the columns of the grid are; where room is short, a head of several words takes several lines."""
        widths = {}
        for i in self.grid:
            texts = map("".join, zip(self.stems, self.texts[0], strict=True)) if i == 0 else self.texts[i]
            head = least(self.heads[i]) if self.narrow else columns(self.heads[i])
            widths[i] = min(max([head, *map(columns, texts)]), self.limits.get(i, 10**9))
        return widths

    @property
    def width(self) -> int:
        return sum(self.widths.values()) + len(GAP) * (len(self.widths) - 1)

    def within(self, width: int) -> _Layout | None:
        """The same with a grid no wider than this, for which words, or else the names of a tree, get less room.

        None if that is not enough.
        """
        layout = replace(self, narrow=True)
        over = layout.width - width
        words = [i for i in self.grid if i not in self.right and not (self.tree and i == 0)]
        for i in sorted(words, key=lambda i: -layout.widths[i]):
            if over <= 0:
                return layout
            widest = max(map(least, (*self.texts[i], self.heads[i])))
            given = min(over, max(layout.widths[i] - widest, 0))
            layout, over = replace(layout, limits={**layout.limits, i: layout.widths[i] - given}), over - given
        if over > 0 and self.tree and layout.widths[0] - over >= NAME:
            return replace(layout, limits={**layout.limits, 0: layout.widths[0] - over})
        return layout if over <= 0 else None

    def lines(self, width: int | None) -> list[Line]:
        """The heads, and every row in as many lines as it needs."""
        lines = [*self._head(width)]
        for number in range(len(self.table.rows)):
            lines += self._row(number, width)
        return lines

    def _head(self, width: int | None) -> Iterator[Line]:
        heads = [wrapped(self.heads[i], self.widths[i]) for i in self.grid]
        height = max(map(len, heads))
        flow = GAP.join(self.heads[i] for i in self.flow)
        for number in range(height):
            cells = (_at(head, number - height + len(head)) for head in heads)
            line = GAP.join(self._padded(i, cell) for i, cell in zip(self.grid, cells, strict=True))
            if flow and number == height - 1 and (width is None or columns(line + GAP + flow) <= width):
                line += GAP + flow
            yield (Piece(line.rstrip(), "columns"),)
        yield (Piece(GAP.join("─" * self.widths[i] for i in self.grid), "rule"),)

    def _padded(self, i: int, text: str) -> str:
        return padded(text, self.widths[i], i in self.right)

    def _row(self, number: int, width: int | None) -> Iterator[Line]:
        stem, after, name = self.stems[number], self.after(number), self.texts[0][number]
        kind = "block" if self.table.blocks[number] else "name"
        if self.tree and columns(stem + name) > self.widths[0]:  # on a line of its own
            parts = wrapped(name, max((width or 0) - columns(after), NAME), GAP)
            yield from ((Piece(after if i else stem, "stem"), Piece(part, kind)) for i, part in enumerate(parts))
            stem, name = after, ""
        cells = {i: wrapped(self.texts[i][number], self.widths[i]) for i in self.grid}
        if self.tree:
            cells[0] = [name]
        grid: list[list[Piece]] = []
        for line in range(max(map(len, cells.values()))):
            front = after if line else stem
            first = padded(_at(cells[0], line), self.widths[0] - columns(front), 0 in self.right)
            pieces = [Piece(front, "stem"), Piece(first, kind)]
            for i in self.grid[1:]:
                pieces += [Piece(GAP), Piece(self._padded(i, _at(cells[i], line)), self.table.columns[i])]
            grid.append(pieces)
        chunks = [(self.texts[i][number], self.table.columns[i]) for i in self.flow if self.texts[i][number]]
        yield from map(stripped, self._flowing(chunks, grid, after, width))

    def after(self, number: int) -> str:
        """What stands before the further lines of a row: the lines of the tree that go on."""
        depths = self.table.depths
        deeper = number + 1 < len(depths) and depths[number + 1] > depths[number]
        stem = self.stems[number].replace("├─", "│ ").replace("└─", "  ")
        return stem + ("│  " if deeper else "   ") if self.tree else GAP

    def _flowing(
        self, chunks: list[tuple[str, str]], grid: list[list[Piece]], after: str, width: int | None
    ) -> list[list[Piece]]:
        """The lines of a row, and what has no column of its own beside them or below, whichever takes fewer lines."""
        if not chunks or width is None:
            return grid
        below = [*grid, *_lines(chunks, after + GAP, width)]
        room = width - self.width - len(GAP)
        if room < BESIDE or any(least(text) > room for text, _ in chunks):
            return below
        lines = _lines(chunks, "", room)
        blank = [[Piece(padded(after, self.width), "stem")]]
        grid = [*grid, *blank * (len(lines) - len(grid))]
        beside = [[*line, Piece(GAP), *(lines[i] if i < len(lines) else ())] for i, line in enumerate(grid)]
        return beside if len(beside) <= len(below) else below


def _lines(chunks: Iterable[tuple[str, str]], indent: str, width: int) -> list[list[Piece]]:
    """Texts one after another, each on a new line if the rest of the last one is too short for it."""
    lines: list[list[Piece]] = []
    for text, kind in chunks:
        used = sum(columns(piece.text) for piece in lines[-1]) if lines else width
        if used + len(GAP) + columns(text) <= width:
            lines[-1] += [Piece(GAP), Piece(text, kind)]
        else:
            parts = wrapped(text, width - columns(indent), GAP)
            lines += [[Piece(indent, "stem"), Piece(part, kind)] for part in parts]
    return lines


def _records(whole: _Layout, width: int) -> list[Line]:
    """Every row as a name, and after it what its columns say: for a width at which no grid fits."""
    lines: list[Line] = []
    for number, name in enumerate(whole.texts[0]):
        stem, after = whole.stems[number], whole.after(number)
        after = after if columns(after) <= width // 2 else GAP
        texts = [(i, whole.texts[i][number]) for i in whole.grid[1:] if whole.texts[i][number]]
        chunks = [
            (f"{whole.heads[i]} {text}" if i in whole.right else text, whole.table.columns[i]) for i, text in texts
        ]
        if whole.tree:
            parts = wrapped(name, max(width - columns(after), NAME), GAP)
            lines += [(Piece(after if i else stem, "stem"), Piece(part, "block")) for i, part in enumerate(parts)]
            lines += map(stripped, _lines(chunks, after + GAP, width))
        else:
            first, *others = _lines([(name, "block"), *chunks], "", width - columns(GAP)) or [[]]
            lines += [stripped(first), *(stripped([Piece(GAP), *other]) for other in others)]
    return lines


def _narrower(whole: _Layout) -> Iterator[tuple[_Layout, bool]]:
    """The layouts that a table may have, from the one that shows most; and whether their numbers are rounded."""
    table, names = whole.table, whole.table.columns
    layout = replace(
        whole,
        grid=tuple(i for i in whole.grid if names[i] not in table.under),
        flow=tuple(i for i in whole.grid if names[i] in table.under),
    )
    yield layout, False
    shorter: set[str] = set()
    left: set[str] = set()
    for step in table.narrow:
        name = step if isinstance(step, str) else ""
        if name in table.short and name not in shorter:
            together = [*table.right & table.short.keys()] if name in table.right else [name]
            shorter.update(together)
            here = {i: table.short[names[i]] for i in whole.grid if names[i] in together}
            heads = {**layout.heads, **{i: short.head for i, short in here.items()}}
            texts = {**layout.texts, **{i: short.cells for i, short in here.items()}}
            layout = replace(layout, heads=heads, texts=texts)
        else:
            left ^= {name} if name else {*step}
        kept = [i for i in whole.grid if names[i] not in left]
        grid, flow = (tuple(i for i in kept if (names[i] in table.under) == under) for under in (False, True))
        yield replace(layout, grid=grid, flow=flow), bool(shorter & table.right)


def _whole(table: Table) -> _Layout:
    body = [tuple(_equated(table, i, cell) for i, cell in enumerate(row)) for row in table.rows]
    texts = {i: tuple(row[i] for row in body) for i in range(len(table.columns))}
    return _Layout(table, dict(enumerate(table.columns)), texts, tuple(range(len(table.columns))))


def _equated(table: Table, number: int, cell: Cell) -> str:
    """A cell as text; what is equal to the cell before begins with the sign for that."""
    text = plain(cell).replace("\n", "\\n")  # a line break in a name would break the table
    return f"= {text}" if table.aligned and number > 1 else text


def _at(lines: Sequence[str], i: int) -> str:
    return lines[i] if 0 <= i < len(lines) else ""


def stripped(line: Iterable[Piece]) -> Line:
    """A line without the blanks at its end."""
    pieces = [*line]
    while pieces and not pieces[-1].text.strip():
        pieces.pop()
    return (*pieces[:-1], pieces[-1]._replace(text=pieces[-1].text.rstrip())) if pieces else ()


def branches(depths: tuple[int, ...]) -> list[str]:
    """The lines of a tree before each entry: `│  └─ `.

    >>> branches((0, 1, 1, 0))
    ['', '├─ ', '└─ ', '']
    """
    stems = []
    for i, depth in enumerate(depths):
        marks = []
        for level in range(1, depth + 1):
            later = next((d for d in depths[i + 1 :] if d <= level), 0)
            more = later == level
            marks.append(("├─ " if more else "└─ ") if level == depth else ("│  " if more else "   "))
        stems.append("".join(marks))
    return stems
