"""How a cost is derived, line by line: formula, substitution and value of one block or of the whole model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shapeviz.ir import ONE
from shapeviz.page import Cell, Code, Equation, Formula, Shape, Span, Table, spans
from shapeviz.page.tables import capital, numeric, output, telling
from shapeviz.quantity import Number
from shapeviz.report import Column, Line, Report, Row
from shapeviz.wording import WIDTH, exact, folded, label, summed


def explanation(report: Report, path: str) -> list[Table]:
    """Formula, substitution and value of a block, line by line; of the whole model for an empty path.

    Raises InputError for an unknown path.
    """
    row = report.row(path) if path else None
    above = tuple(introduction(row)) if row else (f"{report.title}: the sum of its parts",)
    tables: list[Table] = []
    for name in telling(report):
        column = report.columns[name]
        lines, below = _derived(report, row, name) if row else (column.derivation, tuple(_summed(column)))
        tables.append(
            Table(
                ("part", "formula", "substitution", "value"),
                tuple((Code(label(line)), Formula(line.total), _substitution(line), _value(line)) for line in lines),
                heading=capital(column.title),
                above=() if tables else above,
                below=below or (f"none: it costs no {column.title}",),
                aligned=True,
                under=frozenset({"formula", "substitution", "value"}),
            )
        )
    return tables


def _summed(column: Column) -> Iterator[Cell]:
    """The formulas of the parts of the model added up, and their values."""
    lines = column.derivation
    if not column.adds and column.total.terms:
        yield ("total: ", Formula(column.total), f" = {exact(column.total.value)}")
    if lines:
        yield ("total: ", *_joined([Formula(line.total) for line in lines], " + "))
        yield _values(lines, column.total.value)


def _derived(report: Report, row: Row, name: str) -> tuple[tuple[Line, ...], tuple[Cell, ...]]:
    """The derivation of one cell of a row, and the lines that go below it."""
    cell, title, adds = row.cells[name], report.columns[name].title, report.columns[name].adds
    lines = cell.derivation
    below: list[Cell] = []
    if lines:
        below += [(f"{row.path}: ", Formula(cell.each)), _values(lines, cell.value)]
    elif not adds and cell.each.terms:
        below.append((f"{row.path}: ", Formula(cell.each), f" = {exact(cell.value)}"))
    else:
        below.append(f"none: it costs no {title}")
    if lines and row.repeat.value != 1:
        count = cell.instances
        below.append(
            ("in the whole model: ", Formula(count, factored=False), f" = {count.value} times, {exact(cell.in_model)}")
        )
    if cell.not_counted.terms:
        why = "; ".join(text for size, text in report.reasons.items() if size in cell.not_counted.names)
        below.append(("not counted: ", Formula(cell.not_counted, factored=False), f" ({why})"))
    if name == "params":
        below += [f"{weight}: the same weight as in {owner}, counted there" for weight, owner in row.tied.items()]
    return lines, tuple(below)


def _values(lines: Sequence[Line], whole: Number) -> str:
    return f"  = {summed(lines)}" + (f" = {exact(whole)}" if len(lines) > 1 else "")


def _substitution(line: Line) -> Cell:
    """The formula with numbers in place of letters; of parts that are derived elsewhere their values."""
    once = line.times == ONE and len(line.labels) == 1
    if line.composite and not once:
        return line.substitution
    return Formula(line.total, numbers=line.each.sizes.numbers)


def _value(line: Line) -> Cell:
    return exact(line.total.value)


def _joined(parts: Sequence[Cell], sign: str) -> tuple[Span, ...]:
    """Spans with a sign between them."""
    joined: list[Span] = []
    for part in parts:
        joined += [sign] * bool(joined) + [*spans(part)]
    return tuple(joined)


def introduction(row: Row) -> Iterator[Cell]:
    """What a block is: title and sizes, equation and where it is from, shapes, weights."""
    yield f"{row.path}: {row.title}" + (f", {row.caption}" if row.caption else "")
    if row.order:
        yield f"layers: {row.order}"
    if row.equation or row.citation:
        yield from _cited(row.equation, row.citation)
    reads = [Shape(dims) for dims in dict.fromkeys(wire.dims for wire in row.inputs)]
    yield ("shapes: ", *(_joined(reads, ", ") or ("–",)), " → ", output(row), " = ", numeric(row))
    if row.weights:
        shapes = [(f"{name} ", Shape(dims)) for name, dims in row.weights.items()]
        yield ("weights: ", *_joined(shapes, " · "))


def _cited(equation: str, citation: str) -> Iterator[Cell]:
    """An equation and where it is from: beside it if there is room, else below, each in lines that end at a clause.

    A block with variants has an equation of several clauses and as many sources, some 330 characters.
    """
    first, *clauses = folded(re.split("(?<=[;,])  ", equation), "  ")
    sources = folded(re.split("(?<=;) ", f"({citation})"), " ") if citation else []
    beside = f"   {sources[0]}" if len(sources) == 1 else ""
    if beside and not clauses and len(first) + len(beside) <= WIDTH:
        yield (Equation(first), beside)
        return
    yield Equation(first)
    yield from (("  ", Equation(clause)) for clause in clauses)
    yield from (f"  {source}" for source in sources)
