"""Report, Column, Row, Cell: all that a renderer may know. `measure` makes them from a model, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import ModuleType
from typing import Any

from shapeviz import plugins
from shapeviz.errors import InputError, nearest
from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, ONE, Block, Model, Node, Op, Shape, Sizes
from shapeviz.layer_order import LayerOrder
from shapeviz.quantity import Quantity
from shapeviz.tally import Line, Tally
from shapeviz.wiring import Wire, wires

__all__ = ["Cell", "Check", "Column", "Line", "Report", "Row", "measure"]
COUNTS = ("repeat", "copies", "active")


@dataclass(frozen=True)
class Column:
    """One analysis of the whole model: its title, unit ("B" for bytes) and convention, and what it comes to.

    `total` is without what cannot be counted, because a size of it has no number: that is in `not_counted`.
    """

    name: str
    title: str
    unit: str
    convention: str
    total: Quantity
    not_counted: Expr
    derive: Callable[[], tuple[Line, ...]] = field(repr=False, compare=False)
    by_kind: Callable[[], Mapping[str, Quantity]] = field(repr=False, compare=False)

    @cached_property
    def derivation(self) -> tuple[Line, ...]:
        """The total as a sum of the parts of the model, equal ones on one line."""
        return self.derive()

    @cached_property
    def kinds(self) -> Mapping[str, Quantity]:
        """The total by kind of module, embedding, attention, feed_forward, …; none for a column that is no sum."""
        return self.by_kind()


@dataclass(frozen=True)
class Cell:
    """What one instance of a block costs, and how many `instances` of it the whole model counts.

    `each` is without what cannot be counted, because a size of it has no number: that is in `not_counted`.
    """

    each: Quantity
    instances: Quantity
    not_counted: Expr
    derive: Callable[[], tuple[Line, ...]] = field(repr=False, compare=False)

    @property
    def value(self) -> int:
        """The cost of one instance at the model's own sizes."""
        return self.each.value

    @property
    def in_model(self) -> int:
        """The cost of all instances in the whole model, at its own sizes."""
        return self.each.value * self.instances.value

    @property
    def counts(self) -> bool:
        """True unless it is zero for all sizes and nothing is left out."""
        return bool(self.each.terms or self.not_counted.terms)

    @cached_property
    def derivation(self) -> tuple[Line, ...]:
        """The cost of one instance as a sum of its parts, equal ones on one line."""
        return self.derive()


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
    """A measured model: rows in the order of the walk, totals, and what was assumed."""

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

    @cached_property
    def total(self) -> Mapping[str, Quantity]:
        """What the whole model costs, by column."""
        return {name: column.total for name, column in self.columns.items()}

    @cached_property
    def not_counted(self) -> Mapping[str, Expr]:
        """What the columns leave out that leave out something: a size of it has no number, and `reasons` say why."""
        return {name: column.not_counted for name, column in self.columns.items() if column.not_counted.terms}

    def __repr__(self) -> str:
        totals = ", ".join(f"{column} = {cell.value:,}" for column, cell in self.total.items())
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
        raise InputError(f"measure takes a Model: shapeviz.measure(shapeviz.read({model!r}))")
    columns = model.columns if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)
    if wrong := next((name for name in columns if not plugins.has("shapeviz.analyses", name)), None):
        raise InputError(f"unknown column {wrong!r}; {nearest(wrong, plugins.names('shapeviz.analyses'))}")
    if missing := next((name for name in columns if name in model.absent), None):
        raise InputError(f"{missing} of {model.name}: {model.absent[missing]}")
    analyses = {name: plugins.load("shapeviz.analyses", name) for name in columns}
    model = _with_sizes(model, analyses.values())
    tallies = {name: Tally(model, module) for name, module in analyses.items()}
    owners: dict[Any, str] = {}
    return Report(
        name=model.name,
        title=model.title,
        source=model.source,
        sizes=model.sizes,
        legend=model.legend,
        columns={name: _column(name, tally) for name, tally in tallies.items()},
        rows=tuple(_rows(model, model.root, "", dict.fromkeys(COUNTS, ONE), tallies, wires(model.root), owners)),
        reasons=model.missing,
        notes=model.notes,
    )


def _column(name: str, tally: Tally) -> Column:
    model, analysis = tally.model, tally.analysis
    return Column(
        name=name,
        title=analysis.title,
        unit=getattr(analysis, "unit", ""),
        convention=model.conventions.get(name, analysis.convention),
        total=tally.whole(),
        not_counted=tally.rest(model.root),
        derive=partial(tally.lines, model.root),
        by_kind=dict if getattr(analysis, "greatest", False) else tally.kinds,
    )


def _cell(tally: Tally, node: Node, instances: Mapping[str, Expr]) -> Cell:
    return Cell(
        each=tally.counted(node),
        instances=Quantity(instances.get(tally.analysis.times, ONE), tally.model.sizes),
        not_counted=tally.rest(node),
        derive=partial(tally.lines, node),
    )


def _rows(
    model: Model,
    parent: Block,
    prefix: str,
    above: Mapping[str, Expr],
    tallies: Mapping[str, Tally],
    wired: Mapping[Node, tuple[Wire, ...]],
    owners: dict[Any, str],
) -> Iterator[Row]:
    sizes = model.sizes
    for node in parent.body:
        path = prefix + node.name
        block = node if isinstance(node, Block) else None
        times = block.repeat if block else ONE
        here = {name: count * getattr(block, name, ONE) for name, count in above.items()}
        owners.update(dict.fromkeys(block.params, path) if block else {})
        yield Row(
            path=path,
            name=node.name,
            title=block.title if block else node.equation,
            block=node.kind,
            role=block.role if block else "failed" if isinstance(node, Op) and node.failed else node.kind,
            equation=node.equation,
            citation=block.citation if block else "",
            caption=_with_numbers(block.caption, sizes) if block else "",
            step=not block or block.step,
            times=Quantity(times, sizes),
            sets=Quantity(block.copies if block else ONE, sizes),
            repeat=Quantity(here["repeat"], sizes),
            copies=Quantity(here["copies"], sizes),
            silent=node.output.name == NOTHING,
            dims=node.output.shape,
            shape=tuple(_number(size, sizes) for size in node.output.shape),
            inputs=wired[node],
            weights={weight.name: weight.shape for weight in block.params} if block else {},
            tied={weight.name: owners[weight] for weight in block.tied} if block else {},
            cells={name: _cell(tally, node, here) for name, tally in tallies.items()},
            order=block.order if block else None,
        )
        if block and not block.step:
            yield from _rows(model, block, path + ".", here, tallies, wired, owners)


def _with_sizes(model: Model, analyses: Iterable[ModuleType]) -> Model:
    """The model with the sizes that analyses bring along, unless it has them: the bytes of a cached element."""
    brought = {name: size for module in analyses for name, size in getattr(module, "sizes", {}).items()}
    missing = {name: size for name, size in brought.items() if name not in model.sizes.names}
    if not missing:
        return model
    order = (*model.sizes.order, *missing) if model.sizes.order else ()
    values = {**model.sizes.values, **{name: number for name, (number, _) in missing.items()}}
    legend = {**model.legend, **{name: meaning for name, (_, meaning) in missing.items()}}
    return replace(model, sizes=replace(model.sizes, values=values, order=order), legend=legend)


def _number(size: Expr, sizes: Sizes) -> int | None:
    return size.at(sizes.numbers) if size.names <= sizes.numbers.keys() else None


def _with_numbers(pieces: tuple[str | Expr, ...], sizes: Sizes) -> str:
    def shown(piece: str | Expr) -> str:
        if isinstance(piece, str):
            return piece
        number = _number(piece, sizes)
        return str(piece) if number is None else str(number)

    return "".join(map(shown, pieces))
