"""What follows from the model, beside what was claimed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from shapeviz.claims.file import WHOLE, Claim, within
from shapeviz.errors import InputError
from shapeviz.report import Check, Report, Row


@dataclass(frozen=True, kw_only=True)
class Finding(Check):
    """One claimed figure: `expected` is what follows, `found` what is claimed, `note` where a slip likely comes from.

    `path` is a row's, "model", several in one text, or a bare sum's own text. `paths` are those of the rows, "" for the
    model. `quantity` is a column of the report, "shape" or "sum"; `times` is the number of instances claimed for.
    """

    claim: Claim
    paths: tuple[str, ...] = ()
    times: int = 1

    @property
    def message(self) -> str:
        """One line: `claim 3 (decoder layer): params of decoder.layer: 7,617,192 is claimed, right is 7,617,024`."""
        verdict = f"{shown(self.found)} is claimed, right is {shown(self.expected)}"
        if self.quantity == "sum" and self.claim.sum:
            what, verdict = self.claim.sum.text, f"comes to {shown(self.expected)}, not to {shown(self.found)}"
            return f"{self.claim.name}: {what} " + (verdict if not self.ok else f"= {shown(self.found)}")
        what = f"{self.quantity} of {self.path}" + (f", all {self.times:,}" if self.times > 1 else "")
        return f"{self.claim.name}: {what}" + (f": {verdict}" if not self.ok else f" = {shown(self.found)}")


@dataclass(frozen=True)
class Subject:
    """What a claim is about: a row of the report, a group of rows, or the whole model."""

    report: Report
    claim: Claim

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the paths; for the whole model those at the top."""
        if WHOLE in self.claim.paths:
            return tuple(self.report.children())
        return tuple(self.report.row(path) for path in self.claim.paths)

    def times(self, column: str) -> int:
        """How many instances the figure is claimed for."""
        if not self.claim.all or WHOLE in self.claim.paths:
            return 1
        counts = {int(row.cells[column].instances.value) for row in self.rows}
        return counts.pop() if len(counts) == 1 else 1

    def count(self, column: str) -> int:
        """The value that follows from the model. Raises InputError if a size for it is not known."""
        if WHOLE in self.claim.paths:
            return int(self.report.total[column].value)
        return sum(self._count(row, column) for row in self.rows)

    def _count(self, row: Row, column: str) -> int:
        cell = row.cells[column]
        if cell.not_counted.terms and not cell.each.terms:
            raise InputError(f"{column} of {row.path}: {missing(self.report, cell.not_counted.names)}")
        return int(cell.in_model if self.claim.all else cell.value)

    @property
    def shapes(self) -> dict[tuple[int | None, ...], tuple[str, ...]]:
        """The shapes of the rows, each with the paths that have it. Raises InputError if a size is not known."""
        paths: dict[tuple[int | None, ...], tuple[str, ...]] = {}
        for row in self.rows:
            shape = _shape(self.report, row)
            paths[shape] = (*paths.get(shape, ()), row.path)
        return paths

    def uncounted(self, column: str) -> str:
        """What the value leaves out, for the note of a slip."""
        whole = WHOLE in self.claim.paths
        parts = [self.report.columns[column]] if whole else [row.cells[column] for row in self.rows]
        names = {name for part in parts for name in part.not_counted.names}
        return missing(self.report, names) if names else ""


def findings(report: Report, claim: Claim, path: Path) -> Iterator[Finding]:
    """A finding for every value of a claim. Raises InputError for what cannot be counted."""
    subject, by = Subject(report, claim), f"{path.name}, claim {claim.number}"
    whole = claim.sum.text if claim.sum and not claim.paths else together(claim.paths, " + ")
    right = None
    with within(f"{path}, {claim.place}"):
        for column, value in claim.counts.items():
            right, times = subject.count(column), subject.times(column)
            yield Finding(whole, column, right, value, by, claim=claim, paths=claim.paths, times=times)
        for shape, paths in subject.shapes.items() if claim.shape else ():
            yield Finding(together(paths, ", "), "shape", shape, claim.shape, by, claim=claim, paths=paths)
        if claim.sum:
            left = claim.sum.value()
            claimed = claim.equals if claim.equals is not None else next(iter(claim.counts.values()))
            compared = left if left == right else claimed  # one wrong value is one slip
            yield Finding(whole, "sum", left, compared, by, claim=claim, paths=claim.paths)


def together(paths: tuple[str, ...], sign: str) -> str:
    """Paths as one text, the parent of the first not repeated.

    >>> together(("layer.query", "layer.key"), " + ")
    'layer.query + .key'
    """
    first, *others = paths
    parent = first.rpartition(".")[0]
    others = [path.removeprefix(parent) if parent and path.startswith(parent + ".") else path for path in others]
    return sign.join([first, *others]) if paths != (WHOLE,) else "model"


def missing(report: Report, names: Any) -> str:
    """`V is not counted: the vocabulary is not given: --vocab N counts it`."""
    unknown = sorted(set(names) - report.sizes.numbers.keys())
    return "; ".join(f"{name} is not counted: {report.reasons.get(name, 'it has no number')}" for name in unknown)


def shown(value: object) -> str:
    """`7,617,024`, `7,617,023/2` or `(32, 4096, 1024)`.

    >>> shown((32, 4096)), shown(4465920)
    ('(32, 4096)', '4,465,920')
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))})"
    if isinstance(value, Fraction):
        return f"{value.numerator:,}/{value.denominator:,}"
    return f"{value:,}"


def _shape(report: Report, row: Row) -> tuple[int | None, ...]:
    if None in row.shape:
        dims = ", ".join(map(str, row.dims))
        names = {name for size in row.dims for name in size.names}
        raise InputError(f"the shape of {row.path} is ({dims}), and {missing(report, names)}")
    return row.shape
