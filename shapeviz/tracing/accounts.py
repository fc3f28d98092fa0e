"""What each call saves that nothing before it saved, and what the first of alike calls has more than every further one.

Storage is counted once. Of N layers alike, the second is taken for all: what the first saves besides (a memory that
every layer reads, the input of the stack) is set apart as `shared`, once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from shapeviz.expr import Expr
from shapeviz.tracing.records import Call, Record, Saved


@dataclass
class Account:
    """The new tensors that one record saved, its cost in the backward pass, and the same of its parts in order."""

    saved: list[tuple[Saved, bool]]
    backward: Expr
    parts: list[Account] = field(default_factory=list)
    times: int = 1
    shared: list[Shared] = field(default_factory=list)

    @property
    def new(self) -> tuple[tuple[str, Expr], ...]:
        return tuple((event.label, event.size) for event, new in self.saved if new)


@dataclass(frozen=True)
class Shared:
    """What the first of alike calls costs besides what every one of them does."""

    label: str
    size: Expr
    backward: Expr


def account(record: Record, seen: set[Hashable]) -> Account:
    """The account of a record, after all that `seen` holds already; it goes on to hold what this one saves."""
    saved = []
    for event in record.saved:
        saved.append((event, event.storage not in seen))
        seen.add(event.storage)
    if not isinstance(record, Call):
        return Account(saved, record.backward)
    found = Account(saved, record.recomputed, times=record.times)
    for part in record.body:
        inner = account(part, seen)
        if isinstance(part, Call) and part.second:
            further = account(part.second, seen)
            seen.update(part.covered)
            found.shared += _differences(inner, further, 1)
            inner, further.times = further, part.times
        found.parts.append(inner)
    return found


def _differences(first: Account, further: Account, times: int) -> list[Shared]:
    found = []
    for (event, new), (_, again) in zip(first.saved, further.saved, strict=True):
        if new != again:
            found.append(Shared(event.label, event.size * times * (1 if new else -1), Expr()))
    if first.backward != further.backward:
        found.append(Shared("", Expr(), (first.backward - further.backward) * times))
    for one, other in zip(first.parts, further.parts, strict=True):
        found += _differences(one, other, times * one.times)
    mine = sum((s.size for s in first.shared), Expr()) - sum((s.size for s in further.shared), Expr())
    back = sum((s.backward for s in first.shared), Expr()) - sum((s.backward for s in further.shared), Expr())
    if mine.terms or back.terms:
        found.append(Shared("", mine * times, back * times))
    return found
