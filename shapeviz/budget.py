"""Budgets: the most that a model may cost, column by column, and what is beyond them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shapeviz import analyses
from shapeviz.errors import InputError, nearest
from shapeviz.quantity import Number, counted
from shapeviz.report import Report
from shapeviz.wording import exact

TOGETHER = {"memory": ("weights", "gradients", "saved")}
"""Names for several columns together. Memory is that of a training step without its optimizer: parameters, gradients,
and what the forward pass saves for the backward pass."""


class Excess(NamedTuple):
    """A budget that is exceeded: of what, how much there is, and how much there may be."""

    what: str
    value: Number
    budget: int

    def __str__(self) -> str:
        over = exact(self.value - self.budget)
        return f"{exact(self.value)} {self.what}, {over} over the budget of {self.budget:,}"


def budgets(pairs: Iterable[str], flag: str) -> dict[str, int]:
    """Budgets `COLUMN=AMOUNT`. Raises InputError for an unknown column and for what is no amount.

    >>> budgets(["flops=4T", "cache=2GiB"], "--max")
    {'flops': 4000000000000, 'cache': 2147483648}
    """
    most: dict[str, int] = {}
    for pair in pairs:
        name, equals, amount = (part.strip() for part in pair.partition("="))
        if not equals:
            raise InputError(f"{flag} {pair[:60]}: write it as COLUMN=AMOUNT, for instance {flag} flops=4T")
        if name in most:
            raise InputError(f"{flag} {pair[:60]}: {name} has a budget already: keep one")
        columns([name])
        number = counted(amount, f"{flag} {name}")
        assert number is not None
        most[name] = number
    return most


def columns(names: Iterable[str]) -> tuple[str, ...]:
    """The columns that budgets of these names need. Raises InputError for an unknown one, with the nearest."""
    found: list[str] = []
    for name in names:
        if name not in TOGETHER and name not in analyses.names():
            raise InputError(f"unknown column {name!r}; {nearest(name, [*analyses.names(), *TOGETHER])}")
        found += TOGETHER.get(name, (name,))
    return tuple(dict.fromkeys(found))


def exceeded(report: Report, most: Mapping[str, int]) -> list[Excess]:
    """The budgets that a report, which has the columns for them, is beyond."""
    found = []
    for name, budget in most.items():
        parts = columns([name])
        value = sum((report.total[part].value for part in parts), start=0 * report.total[parts[0]].value)
        if value > budget:
            what = report.columns[name].title if name in report.columns else f"bytes of {name}"
            found.append(Excess(what, value, budget))
    return found
