"""The numbers of a report by path, computed once: what an origin is looked for among."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

from shapeviz.claims.file import WHOLE
from shapeviz.claims.findings import Finding
from shapeviz.report import Report, Row


@dataclass(frozen=True)
class Part:
    """Something that is counted within the subject of a claim: its value, and how many of them are in there."""

    path: str
    name: str
    value: int
    times: int
    kind: str = ""  # of a weight: bias, norm or nothing


class Tree:
    """Rows, values and weights of a report."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.rows: dict[str, Row] = {row.path: row for row in report.rows}
        numbers = report.sizes.numbers
        self.weights = {row.path: list(_weights(row, numbers)) for row in report.rows if row.weights}

    @cached_property
    def values(self) -> dict[tuple[str, str], int]:
        """The value of every row, by path and column."""
        return {(row.path, name): int(cell.value) for row in self.report.rows for name, cell in row.cells.items()}

    @cached_property
    def instances(self) -> dict[tuple[str, str], int]:
        """How often every row is in the model, by path and column."""
        cells = [(row.path, name, cell) for row in self.report.rows for name, cell in row.cells.items()]
        return {(path, name): int(cell.instances.value) for path, name, cell in cells}

    @cached_property
    def names(self) -> dict[int, list[str]]:
        """The names of a number: sizes with their own number first, then sizes as they stand in shapes, h·d_k."""
        sizes, letters = self.report.sizes, dict[int, list[str]]()
        for name in (*sizes.values, *sizes.rules):
            letters.setdefault(sizes.numbers[name], []).append(name)
        for row in self.report.rows:
            for size, number in zip(row.dims, row.shape, strict=True):
                if number is not None and (len(size.names) > 1 or number not in letters):
                    letters.setdefault(number, []).append(str(size))
        return {number: list(dict.fromkeys(names)) for number, names in letters.items()}

    def covered(self, finding: Finding) -> int:
        """How many instances of the subject are in the model for each one that the figure is claimed for."""
        path = finding.paths[0]
        return 1 if finding.claim.all or path == WHOLE else self.instances[path, finding.quantity]

    def parts(self, finding: Finding) -> Iterator[Part]:
        """The rows within the subject of a claim, the subject itself first, named from there."""
        covered = self.covered(finding)
        for top in finding.paths:
            prefix = top and top + "."
            for path in self.rows:
                if path == top or path.startswith(prefix):
                    times = self.instances[path, finding.quantity] // covered
                    name = path.removeprefix(prefix) if len(finding.paths) == 1 else path
                    yield Part(path, name, self.values[path, finding.quantity], times)

    def weight_parts(self, finding: Finding) -> Iterator[Part]:
        """The weights within the subject of a claim."""
        for part in self.parts(finding):
            for name, size, kind in self.weights.get(part.path, ()):
                text = f"the {kind} {name}" if kind == "bias" else name
                where = "" if part.path in finding.paths else f" of {part.name}"
                yield Part(part.path, text + where, size, part.times, kind)


def _weights(row: Row, numbers: dict[str, int]) -> Iterator[tuple[str, int, str]]:
    """Name, elements and kind of every weight that a row owns and whose sizes are known."""
    for name, shape in row.weights.items():
        if all(size.names <= numbers.keys() for size in shape):
            kind = "norm" if row.role == "norm" else "bias" if len(shape) == 1 else ""
            yield name, prod(size.at(numbers) for size in shape), kind
