"""Sizes that do not go together, and the nearest that do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from shapeviz.errors import SizeError
from shapeviz.symbols import flag

WINDOW = 10_000  # sizes tried on either side in search of a possible one
Rules = Mapping[str, Callable[[Any], object]]
"""What can be wrong with a Config, by name, the most basic first: each is true where it is."""


def broken(c: Any, rules: Rules) -> list[str]:
    """The rules that a Config breaks."""
    return [name for name, wrong in rules.items() if wrong(c)]


def refuse(c: Any, rules: Rules, messages: Mapping[str, Callable[[Any], str]]) -> None:
    """Raises SizeError with the message for the most basic rule that is broken."""
    if names := broken(c, rules):
        raise SizeError(messages[names[0]](c))


def nearest_sizes(c: Any, rules: Rules, name: str, below: Sequence[int], above: Sequence[int]) -> str:
    """`--heads 4 or 8`: the first sizes below and above, searched for a while, that mend the most basic broken rule and
    break no other; empty if there are none."""
    before = set(broken(c, rules)[1:])

    def mends(size: int) -> bool:
        changes: dict[str, Any] = {name: size}
        return set(broken(replace(c, **changes), rules)) <= before

    firsts = (next(filter(mends, islice(sizes, WINDOW + 1)), None) for sizes in (below, above))
    sizes = dict.fromkeys(str(size) for size in firsts if size)
    return f"{flag(name)} {' or '.join(sizes)}" if sizes else ""
