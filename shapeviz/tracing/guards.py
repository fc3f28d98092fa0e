"""What a trace holds for: the branches that were taken, and the dimensions that a module takes for plain numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shapeviz.tracing.symbols import Symbols


def settled_at(symbols: Symbols) -> dict[str, str]:
    """The dimensions that are no variables for the module, each with the line at which that was decided."""
    return {name: next(_lines(symbols, name), "") for name in symbols.settled()}


def _lines(symbols: Symbols, name: str) -> Iterator[str]:
    for guard in symbols.env.guards:
        text = symbols.renamed(str(guard.expr))
        if re.search(rf"\b{name}\b", text) and "Eq" in text:
            yield _place(guard)


def conditions(symbols: Symbols, sizes: Mapping[str, int]) -> list[str]:
    """The inequalities that the module's own code decided, as notes; one that the sizes contradict says so."""
    found = {}
    for guard in symbols.env.guards:
        place = _place(guard)
        text = symbols.renamed(str(guard.expr))
        if place and type(guard.expr).__name__ in SIGNS and not re.search(r"\b[su]\d+\b", text):
            found.setdefault(_written(guard.expr, symbols), place)
    return [f"holds for {text} ({place})" for text, place in found.items()]


SIGNS = {
    "StrictLessThan": "<", "LessThan": "≤", "StrictGreaterThan": ">", "GreaterThan": "≥", "Unequality": "≠",
    "Equality": "=",
}  # fmt: skip


def _written(form: Any, symbols: Symbols) -> str:
    left, right = (symbols.renamed(str(side)) for side in form.args)
    return f"{left} {SIGNS[type(form).__name__]} {right}".replace("**", "^").replace("*", "·")


def _place(guard: Any) -> str:
    """`model.py:31`, if the user's own code asked; nothing where torch did for itself."""
    own = getattr(guard.sloc, "maybe_user_loc", None)
    return str(own) if own else ""
