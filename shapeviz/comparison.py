"""Two measured models side by side, reports or what a report was saved as: sizes, totals, kinds of module and blocks
that are not the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from shapeviz import analyses
from shapeviz.errors import InputError
from shapeviz.ir import Model
from shapeviz.report import Report

Value = int | Fraction | str | None


@dataclass(frozen=True)
class Difference:
    """What differs (`size`, `params`, `block`, …), where (a letter, `total`, a kind, a path), and both values.

    A value is None where one of the two has none; `part` says what the difference is one of: `sizes`, `costs` of the
    whole model, or `blocks`, whose costs are those of all their instances.
    """

    part: str
    what: str
    where: str
    before: Value
    after: Value

    @property
    def change(self) -> int | Fraction | None:
        """The second less the first, where both are numbers."""
        if isinstance(self.before, int | Fraction) and isinstance(self.after, int | Fraction):
            return self.after - self.before
        return None

    @property
    def percent(self) -> float | None:
        """The change in hundredths of the first, to a tenth, below one to three digits; None without a first."""
        if self.change is None or not isinstance(self.before, int | Fraction) or self.before <= 0:
            return None
        exact = float(100 * Fraction(self.change) / Fraction(self.before))
        return round(exact, 1) if abs(exact) >= 1 else float(f"{exact:.3g}")


@dataclass(frozen=True)
class Part:
    """A block or a step: its kind, its equation, and what all of its instances cost in the whole model, by column."""

    block: str
    equation: str
    costs: Mapping[str, Value]


@dataclass(frozen=True)
class Side:
    """A measured model as far as it is compared: by column its total, and that by kind, by path its parts."""

    name: str
    title: str
    sizes: Mapping[str, int]
    legend: Mapping[str, str]
    totals: Mapping[str, Value]
    kinds: Mapping[str, Mapping[str, Value]]
    parts: Mapping[str, Part]

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column, "B" for bytes."""
        return {name: analyses.load(name).unit.sign for name in self.totals if name in analyses.names()}


def measured(report: Report) -> Side:
    """A report as one side."""
    return Side(
        report.name,
        report.title,
        report.sizes.numbers,
        report.legend,
        {name: total.value for name, total in report.total.items()},
        {name: {kind: q.value for kind, q in column.kinds.items()} for name, column in report.columns.items()},
        {
            row.path: Part(row.block, row.equation, {name: cell.in_model for name, cell in row.cells.items()})
            for row in report.rows
        },
    )


def saved(data: Mapping[str, Any], where: str) -> Side:
    """What `-f json` wrote of a report as one side. Raises InputError for what is none, naming `where` it stands."""
    try:
        totals = {name: _number(cell) for name, cell in data["total"].items()}
        kinds: dict[str, dict[str, Value]] = {name: {} for name in totals}
        for kind, cells in data.get("kinds", {}).items():
            for name, cell in cells.items():
                kinds[name][kind] = _number(cell)
        parts = {row["path"]: _part(row, totals) for row in data["rows"]}
        model, sizes, legend = data["model"], dict(data["sizes"]), dict(data.get("legend", {}))
        return Side(model["name"], model.get("title", model["name"]), sizes, legend, totals, kinds, parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: no report as `shapeviz params --json` writes it: {error!r}") from None


def _part(row: Mapping[str, Any], columns: Collection[str]) -> Part:
    """A row of a saved report: what one instance costs, times as many as there are."""
    names = [name for name in columns if name in row]
    costs = {name: _number(row[name]) * _number(row["instances"][name]) for name in names}
    return Part(row["block"], row["equation"], costs)


def _number(cell: Mapping[str, Any]) -> Fraction | int:
    value = Fraction(cell["value"])
    return int(value) if value.denominator == 1 else value


def at_one_length(one: Model, other: Model, fixed: Collection[str] = ()) -> tuple[Model, Model]:
    """Both models at the shorter of their lengths, S and T, but for those that were fixed."""
    numbers = (one.sizes.values, other.sizes.values)
    both = [name for name in ("S", "T") if name not in fixed and all(name in values for values in numbers)]
    shorter = {name: min(values[name] for values in numbers) for name in both}
    first, second = (replace(m, sizes=replace(m.sizes, values={**m.sizes.values, **shorter})) for m in (one, other))
    return first, second


def compare(one: Side, other: Side) -> tuple[Difference, ...]:
    """Every difference: the sizes first, then the totals by kind, then the blocks in the order of the walk.

    Of columns those that both have; active parameters are left out where they are all of them.
    """
    pairs = (*_sizes(one, other), *_totals(one, other), *_blocks(one, other))
    dense = all(side.totals.get("active") == side.totals.get("params") for side in (one, other))
    return tuple(d for d in pairs if d.before != d.after and not (dense and d.what == "active"))


def _sizes(one: Side, other: Side) -> Iterator[Difference]:
    for name in dict.fromkeys((*one.sizes, *other.sizes)):
        meaning = one.legend.get(name) or other.legend.get(name, "")
        where = f"{name}, {meaning}" if meaning else name
        yield Difference("sizes", "size", where, one.sizes.get(name), other.sizes.get(name))


def _totals(one: Side, other: Side) -> Iterator[Difference]:
    for column in (column for column in one.totals if column in other.totals):
        yield Difference("costs", column, "total", one.totals[column], other.totals[column])
        kinds = [side.kinds.get(column, {}) for side in (one, other)]
        for kind in dict.fromkeys((*kinds[0], *kinds[1])):
            yield Difference("costs", column, kind, *(k.get(kind, 0) for k in kinds))


def _blocks(one: Side, other: Side) -> Iterator[Difference]:
    """Blocks that only one of them has, and those whose equation or costs are not the same."""
    parts = [side.parts for side in (one, other)]
    for path in dict.fromkeys((*parts[0], *parts[1])):
        before, after = (table.get(path) for table in parts)
        parent = path.rpartition(".")[0]
        if before is None or after is None:
            if not parent or all(parent in table for table in parts):
                yield Difference("blocks", "block", path, *(part.block if part else None for part in (before, after)))
        else:
            yield Difference("blocks", "equation", path, before.equation, after.equation)
            for column in (column for column in before.costs if column in after.costs):
                yield Difference("blocks", column, path, before.costs[column], after.costs[column])
