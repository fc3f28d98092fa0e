"""Two reports side by side: sizes, totals, kinds of module and blocks that are not the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from shapeviz.ir import Model
from shapeviz.report import Report, Row

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


def at_one_length(one: Model, other: Model, fixed: Collection[str] = ()) -> tuple[Model, Model]:
    """Both models at the shorter of their lengths, S and T, but for those that were fixed."""
    numbers = (one.sizes.values, other.sizes.values)
    both = [name for name in ("S", "T") if name not in fixed and all(name in values for values in numbers)]
    shorter = {name: min(values[name] for values in numbers) for name in both}
    first, second = (replace(m, sizes=replace(m.sizes, values={**m.sizes.values, **shorter})) for m in (one, other))
    return first, second


def compare(one: Report, other: Report) -> tuple[Difference, ...]:
    """Every difference: the sizes first, then the totals by kind, then the blocks in the order of the walk.

    Active parameters are left out where they are all of them.
    """
    pairs = (*_sizes(one, other), *_totals(one, other), *_blocks(one, other))
    dense = all(r.total.get("active") == r.total.get("params") for r in (one, other))
    return tuple(d for d in pairs if d.before != d.after and not (dense and d.what == "active"))


def _sizes(one: Report, other: Report) -> Iterator[Difference]:
    for name in dict.fromkeys((*one.sizes.numbers, *other.sizes.numbers)):
        meaning = one.legend.get(name) or other.legend.get(name, "")
        where = f"{name}, {meaning}" if meaning else name
        yield Difference("sizes", "size", where, one.sizes.numbers.get(name), other.sizes.numbers.get(name))


def _totals(one: Report, other: Report) -> Iterator[Difference]:
    for column in dict.fromkeys((*one.total, *other.total)):
        totals = (report.total[column].value if column in report.total else None for report in (one, other))
        yield Difference("costs", column, "total", *totals)
        kinds = [r.columns[column].kinds if column in r.columns else {} for r in (one, other)]
        for kind in dict.fromkeys((*kinds[0], *kinds[1])):
            yield Difference("costs", column, kind, *(k[kind].value if kind in k else 0 for k in kinds))


def _blocks(one: Report, other: Report) -> Iterator[Difference]:
    """Blocks that only one of them has, and those whose equation or costs are not the same."""
    rows = [{row.path: row for row in report.rows} for report in (one, other)]
    for path in dict.fromkeys((*rows[0], *rows[1])):
        before, after = (table.get(path) for table in rows)
        parent = path.rpartition(".")[0]
        if before is None or after is None:
            if not parent or all(parent in table for table in rows):
                kinds = (row.block if row else None for row in (before, after))
                yield Difference("blocks", "block", path, *kinds)
        else:
            yield Difference("blocks", "equation", path, before.equation, after.equation)
            yield from _costs(path, before, after)


def _costs(path: str, before: Row, after: Row) -> Iterator[Difference]:
    for column in before.cells:
        if column in after.cells:
            yield Difference("blocks", column, path, before.cells[column].in_model, after.cells[column].in_model)
