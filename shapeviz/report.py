"""Report, Column, Row, Cell: all that a renderer may know. `measure` makes them from a model, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from shapeviz import analyses, dtypes
from shapeviz.column import ByColumn, Cell, Column
from shapeviz.errors import InputError, made_of, nearest
from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, ONE, Block, Model, Node, Shape, Sizes, Tensor
from shapeviz.layer_order import LayerOrder
from shapeviz.quantity import Quantity
from shapeviz.tally import Line, RatioTally, Tally
from shapeviz.wiring import Wire, wires

__all__ = ["Cell", "Check", "Column", "Line", "Report", "Row", "measure"]


@dataclass(frozen=True)
class Row:
    """One block or step of the walk, with a cell for every column of the report.

    `silent` is one without a result. `times` is how often it runs within its parent, `sets` how many sets of weights it
    has there, `repeat` and `copies` are the same in the whole model. `citation` is where its equation is from,
    `order` how the unlike layers of a stack, which the rows have a kind at a time, take turns.
    """

    path: str
    name: str
    title: str
    block: str
    role: str
    equation: str
    citation: str
    caption: str
    step: bool
    times: Quantity
    sets: Quantity
    repeat: Quantity
    copies: Quantity
    silent: bool
    dims: Shape
    shape: tuple[int | None, ...]
    inputs: tuple[Wire, ...]
    weights: Mapping[str, Shape]
    tied: Mapping[str, str]
    cells: Mapping[str, Cell]
    order: LayerOrder | None = None

    @property
    def depth(self) -> int:
        return self.path.count(".")

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]


@dataclass(frozen=True)
class Check:
    """One comparison: what a formula says, what was found, by whom; a note where a peer is known to deviate."""

    path: str
    quantity: str
    expected: Any
    found: Any
    by: str
    note: str = ""
    explained: bool = False

    @property
    def ok(self) -> bool:
        return bool(self.expected == self.found or self.explained)


@dataclass(frozen=True, repr=False)
class Report:
    """A measured model: rows in the order of the walk, totals, and what was assumed.

    `dtype` is that in which bytes are counted, in words, empty for columns without any.
    """

    name: str
    title: str
    source: str
    sizes: Sizes
    legend: Mapping[str, str]
    columns: Mapping[str, Column]
    rows: tuple[Row, ...]
    reasons: Mapping[str, str]
    notes: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    dtype: str = ""

    @cached_property
    def total(self) -> Mapping[str, Quantity]:
        """What the whole model costs, by column."""
        return ByColumn({name: column.total for name, column in self.columns.items()})

    @cached_property
    def not_counted(self) -> Mapping[str, Expr]:
        """What the columns leave out that leave out something: a size of it has no number, and `reasons` say why."""
        return {name: column.not_counted for name, column in self.columns.items() if column.not_counted.terms}

    def __repr__(self) -> str:
        values = {column: cell.value for column, cell in self.total.items()}
        totals = ", ".join(
            f"{column} = {value:,}" if isinstance(value, int) else f"{column} = {float(value):,.3f}"
            for column, value in values.items()
        )
        return f"<Report {self.title}: {totals}>"

    def row(self, path: str) -> Row:
        """The row of a path. Raises InputError with the nearest path if there is none."""
        for row in self.rows:
            if row.path == path:
                return row
        hint = nearest(path, [row.path for row in self.rows])
        raise InputError(f"no block {path!r} in {self.name}; {hint}; `shapeviz trace` shows them")

    def children(self, path: str = "") -> list[Row]:
        return [row for row in self.rows if row.parent == path]


def measure(model: Model, columns: Iterable[str] | None = None) -> Report:
    """Every shape and cost of a model as exact expressions, by default the columns that the model names.

    Raises InputError for a column that is not known of it.
    """
    if not isinstance(model, Model):
        what = "a Report is measured already" if isinstance(model, Report) else f"shapeviz.measure({made_of(model)})"
        raise InputError(f"measure takes a Model: {what}")
    columns = model.columns if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)
    needed = {name: [part.of(model) for part in analyses.parts(name)] for name in columns}
    for name, parts in needed.items():
        if reason := next((part.knows.otherwise for part in parts if not part.knows.of(model)), ""):
            raise InputError(f"{name} of {model.name}: {reason}")
    model = dtypes.with_letters(model, [part for parts in needed.values() for part in parts])
    # a column and a ratio over it are folded once: intensity shares the FLOPs of flops
    shared = {id(part): Tally(model, part) for parts in needed.values() for part in parts}
    tallies = {name: _tally(*(shared[id(part)] for part in parts)) for name, parts in needed.items()}
    return Report(
        name=model.name,
        title=model.title,
        source=model.source,
        sizes=model.sizes,
        legend=model.legend,
        columns=ByColumn({name: _column(name, tally, model) for name, tally in tallies.items()}),
        rows=tuple(_Rows(model, tallies, wires(model.root)).within(model.root, "", _Counts(ONE, ONE, {}))),
        reasons=model.missing,
        notes=model.notes,
        dtype=dtypes.said(model, columns),
    )


def _tally(tally: Tally, below: Tally | None = None) -> Tally | RatioTally:
    return tally if below is None else RatioTally(tally, below)


def _column(name: str, tally: Tally | RatioTally, model: Model) -> Column:
    analysis = analyses.load(name)
    return Column(
        name=name,
        title=analysis.title,
        unit=analysis.unit.sign,
        convention=model.conventions.get(name, analysis.convention) + dtypes.elements(name, model),
        total=tally.whole(),
        not_counted=tally.rest(model.root),
        adds=tally.adds,
        derive=partial(tally.lines, model.root),
        by_kind=tally.kinds,
    )


class _Counts(NamedTuple):
    """In the whole model: how often a block runs, how many sets of weights it has, how often each column counts."""

    repeat: Expr
    copies: Expr
    columns: Mapping[str, Expr]


@dataclass(eq=False, repr=False)
class _Rows:
    """The rows of a model in the order of the walk."""

    model: Model
    tallies: Mapping[str, Tally | RatioTally]
    wired: Mapping[Node, tuple[Wire, ...]]
    owners: dict[Tensor, str] = field(default_factory=dict)
    numbers: dict[Expr, int | None] = field(default_factory=dict)

    def within(self, parent: Block, prefix: str, above: _Counts) -> Iterator[Row]:
        """The rows of the nodes in a block, each followed by those within it."""
        for node in parent.body:
            path = prefix + node.name
            repeat, copies = (node.repeat, node.copies) if isinstance(node, Block) else (ONE, ONE)
            here = _Counts(
                above.repeat * repeat,
                above.copies * copies,
                {name: tally.instances(above.columns.get(name, ONE), node) for name, tally in self.tallies.items()},
            )
            row = self._row(path, node, here)
            if not isinstance(node, Block):
                yield row
                continue
            # weights are owned by the first block of the walk that has them: who shares them comes later
            self.owners.update(dict.fromkeys(node.params, path))
            yield self._of_block(row, node)
            if not node.step:
                yield from self.within(node, path + ".", here)

    def _row(self, path: str, node: Node, here: _Counts) -> Row:
        """The row of a node, as of an operation: it runs once, and has no weights."""
        sizes = self.model.sizes
        once = Quantity(ONE, sizes)
        failed = not isinstance(node, Block) and node.failed
        return Row(
            path=path,
            name=node.name,
            title=node.equation,
            block=node.kind,
            role="failed" if failed else node.kind,
            equation=node.equation,
            citation="",
            caption="",
            step=True,
            times=once,
            sets=once,
            repeat=Quantity(here.repeat, sizes),
            copies=Quantity(here.copies, sizes),
            silent=node.output.name == NOTHING,
            dims=node.output.shape,
            shape=tuple(self._number(size) for size in node.output.shape),
            inputs=self.wired[node],
            weights={},
            tied={},
            cells=ByColumn({name: self._cell(tally, node, here.columns[name]) for name, tally in self.tallies.items()}),
        )

    def _of_block(self, row: Row, block: Block) -> Row:
        """The row with what a block has and an operation has not."""
        sizes = self.model.sizes
        return replace(
            row,
            title=block.title,
            role=block.role,
            citation=block.citation,
            caption=self._with_numbers(block.caption),
            step=block.step,
            times=Quantity(block.repeat, sizes),
            sets=Quantity(block.copies, sizes),
            weights={weight.name: weight.shape for weight in block.params},
            tied={weight.name: self.owners[weight] for weight in block.tied},
            order=block.order,
        )

    def _cell(self, tally: Tally | RatioTally, node: Node, instances: Expr) -> Cell:
        return Cell(
            each=tally.counted(node),
            instances=Quantity(instances, self.model.sizes),
            not_counted=tally.rest(node),
            derive=partial(tally.lines, node),
        )

    def _number(self, size: Expr) -> int | None:
        """The value of a size, None without the numbers for it; a model has few sizes and many shapes."""
        if size not in self.numbers:
            known = self.model.sizes.numbers
            self.numbers[size] = size.at(known) if size.names <= known.keys() else None
        return self.numbers[size]

    def _with_numbers(self, pieces: tuple[str | Expr, ...]) -> str:
        def shown(piece: str | Expr) -> str:
            number = piece if isinstance(piece, str) else self._number(piece)
            return str(piece if number is None else number)

        return "".join(map(shown, pieces))
