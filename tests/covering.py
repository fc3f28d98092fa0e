"""Few of many random configurations that prove what the many would: together they hold every pair of choices."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any


def choice(value: object) -> Hashable:
    """What a value decides: a size whether it is 0, 1 or more, a list which names are in it or whether it is empty.

    >>> choice(4096) == choice(7) != choice(1), choice(None), choice("gelu")
    (True, None, 'gelu')
    """
    match value:
        case bool() | str() | None:
            return value
        case int():
            return min(value, 2)
        case list() | tuple() if value and isinstance(value[0], str):
            return frozenset(value)
        case list() | tuple():
            return min(len(value), 2)
        case dict():
            return frozenset(value)
    return type(value).__name__


def covering(pool: Sequence[Mapping[str, Any]], also: Sequence[Iterable[Hashable]] = ()) -> list[int]:
    """The places of a few of the pool that hold every pair of choices that some one of the pool holds.

    also: of each of the pool further facts, every one of which is to be held as well.

    >>> covering([{"a": 0, "b": True}, {"a": 0, "b": False}, {"a": 1, "b": True}, {"a": 0, "b": True}])
    [0, 1, 2]
    """
    held = [set[Hashable](combinations(sorted(((k, choice(v)) for k, v in one.items()), key=str), 2)) for one in pool]
    for facts, more in zip(held, also, strict=False):
        facts.update(more)
    left, chosen = set[Hashable]().union(*held), []
    while left:
        best = max(range(len(pool)), key=lambda i: len(held[i] & left))
        chosen.append(best)
        left -= held[best]
    return sorted(chosen)
