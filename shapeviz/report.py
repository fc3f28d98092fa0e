"""Report, Row: all that a renderer may know. `measure` makes them from a model, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

from shapeviz import plugins
from shapeviz.errors import InputError, nearest
from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, ONE, Block, Model, Node, Op, Shape, Sizes
from shapeviz.ledger import Lazy, Ledger, Line
from shapeviz.quantity import Quantity
from shapeviz.wiring import Wire, wires

__all__ = ["Check", "Line", "Report", "Row", "measure"]
COUNTS = ("repeat", "copies", "active")


@dataclass(frozen=True)
class Row:
    """One block or step of the walk.

    `silent` is one without a result. `times` is how often it runs within its parent, `sets` how many sets of weights it
    has there, `repeat` and `copies` are the same in the whole model, `instances` which of the two counts for a column.
    A cell is the cost of one instance, without what cannot be counted: that is in `not_counted`.
    """

    path: str
    name: str
    title: str
    block: str
    role: str
    equation: str
    source: str
    caption: str
    step: bool
    times: Quantity
    sets: Quantity
    repeat: Quantity
    copies: Quantity
    instances: Mapping[str, Quantity]
    silent: bool
    dims: Shape
    shape: tuple[int | None, ...]
    inputs: tuple[Wire, ...]
    weights: Mapping[str, Shape]
    tied: Mapping[str, str]
    cells: Mapping[str, Quantity]
    not_counted: Mapping[str, Expr]
    derivations: Mapping[str, tuple[Line, ...]]

    @property
    def depth(self) -> int:
        return self.path.count(".")

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]

    def in_model(self, column: str) -> int:
        """The cost of all instances in the whole model."""
        return self.cells[column].value * self.instances[column].value


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
    conventions: Mapping[str, str]
    columns: Mapping[str, str]
    units: Mapping[str, str]
    rows: tuple[Row, ...]
    total: Mapping[str, Quantity]
    not_counted: Mapping[str, Expr]
    reasons: Mapping[str, str]
    notes: tuple[str, ...]
    derivations: Mapping[str, tuple[Line, ...]]
    kinds: Mapping[str, Mapping[str, Quantity]]
    checks: tuple[Check, ...] = ()

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
    ledger = {name: Ledger(model, module) for name, module in analyses.items()}
    owners: dict[Any, str] = {}
    return Report(
        name=model.name,
        title=model.title,
        source=model.source,
        sizes=model.sizes,
        legend=model.legend,
        conventions={name: model.conventions.get(name, module.convention) for name, module in analyses.items()},
        columns={name: module.title for name, module in analyses.items()},
        units={name: getattr(module, "unit", "") for name, module in analyses.items()},
        rows=tuple(_rows(model, model.root, "", dict.fromkeys(COUNTS, ONE), ledger, wires(model.root), owners)),
        total={name: book.whole(name) for name, book in ledger.items()},
        not_counted={name: rest for name, book in ledger.items() if (rest := book.rest(model.root)).terms},
        reasons=model.missing,
        notes=model.notes,
        derivations=Lazy({name: partial(book.lines, model.root) for name, book in ledger.items()}),
        kinds=Lazy(
            {name: book.kinds for name, book in ledger.items() if not getattr(book.analysis, "greatest", False)}
        ),
    )


def _rows(
    model: Model,
    parent: Block,
    prefix: str,
    above: Mapping[str, Expr],
    ledger: Mapping[str, Ledger],
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
            source=block.citation if block else "",
            caption=_with_numbers(block.caption, sizes) if block else "",
            step=not block or block.step,
            times=Quantity(times, sizes),
            sets=Quantity(block.copies if block else ONE, sizes),
            repeat=Quantity(here["repeat"], sizes),
            copies=Quantity(here["copies"], sizes),
            instances={name: Quantity(here.get(book.analysis.times, ONE), sizes) for name, book in ledger.items()},
            silent=node.output.name == NOTHING,
            dims=node.output.shape,
            shape=tuple(_number(size, sizes) for size in node.output.shape),
            inputs=wired[node],
            weights={weight.name: weight.shape for weight in block.params} if block else {},
            tied={weight.name: owners[weight] for weight in block.tied} if block else {},
            cells={name: book.counted(node) for name, book in ledger.items()},
            not_counted={name: rest for name, book in ledger.items() if (rest := book.rest(node)).terms},
            derivations=Lazy({name: partial(book.lines, node) for name, book in ledger.items()}),
        )
        if block and not block.step:
            yield from _rows(model, block, path + ".", here, ledger, wired, owners)


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
