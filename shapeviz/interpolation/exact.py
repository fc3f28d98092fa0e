"""Linear equations and polynomials over the rational numbers, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Rows = Sequence[Sequence[Fraction]]


def newton(values: Sequence[int], line: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients, lowest first, of the polynomial through the points, by Newton's divided differences.

    >>> [int(c) for c in newton([1, 2, 3], [Fraction(y) for y in (1, 4, 9)])]
    [0, 0, 1]
    """
    table, result, basis = list(line), [Fraction()] * len(line), [Fraction(1)]
    for n in range(len(line)):
        for i, c in enumerate(basis):
            result[i] += table[0] * c
        basis = [a - values[n] * b for a, b in zip([Fraction(), *basis], [*basis, Fraction()], strict=True)]
        table = [(b - a) / (values[i + n + 1] - values[i]) for i, (a, b) in enumerate(pairwise(table))]
    return result


def solution(rows: Rows, values: Sequence[Fraction]) -> list[Fraction] | None:
    """The solution of linear equations of full rank, by Gauß; None if they contradict each other."""
    columns = len(rows[0]) if rows else 0
    table = _eliminated([[*row, value] for row, value in zip(rows, values, strict=True)], columns)
    if any(row[-1] for row in table[columns:]):
        return None
    return [row[-1] for row in table[:columns]]


def rank(rows: Rows) -> int:
    """How many of the rows are independent."""
    return sum(1 for row in _eliminated(rows, len(rows[0]) if rows else 0) if any(row))


def _eliminated(rows: Rows, columns: int) -> list[list[Fraction]]:
    """The rows in reduced echelon form over the first columns."""
    table, done = [list(row) for row in rows], 0
    for column in range(columns):
        pivot = next((i for i in range(done, len(table)) if table[i][column]), None)
        if pivot is None:
            continue
        table[done], table[pivot] = table[pivot], table[done]
        table[done] = [x / table[done][column] for x in table[done]]
        for i, row in enumerate(table):
            if i != done and row[column]:
                table[i] = [x - row[column] * y for x, y in zip(row, table[done], strict=True)]
        done += 1
    return table
