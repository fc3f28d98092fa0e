"""Bytes saved for the backward pass, each storage counted once, and what the first of identical calls has more.

Of N identical layers the second one stands for every further one: it reads what the first one has saved already. So
the model saves  N · (what the second saves) + surplus,  where the surplus is what the first saves beyond that, a memory
that every layer reads, the input of the stack, and what a further one saves more or less. It is set apart, once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from shapeviz.expr import Expr, total
from shapeviz.tracing.log import Call, Later, Record, Saved


@dataclass
class Tally:
    """What one record costs for the backward pass: tensors saved, each with whether its storage is new, and FLOPs.

    `parts` are the tallies of the records within it, in order; `runs` says how often it runs in its caller; `surplus`
    is what the first of identical calls within it has more than the others. `places` are all that is saved in it, of
    identical calls within it by the first alone.
    """

    saved: list[tuple[Saved, bool]]
    backward: Expr
    places: list[tuple[Saved, bool]] = field(default_factory=list)
    parts: list[Tally] = field(default_factory=list)
    runs: int = 1
    surplus: list[Surplus] = field(default_factory=list)

    @property
    def saved_first(self) -> tuple[tuple[str, Expr], ...]:
        """Dtype and bytes of the tensors whose storage no earlier record saved."""
        return tuple((saved.label, saved.size) for saved, is_new in self.saved if is_new)


@dataclass(frozen=True)
class Surplus:
    """What one of identical calls saves, and costs in the backward pass, beyond the second of them.

    Negative where the second has more.
    """

    label: str
    size: Expr
    backward: Expr


def tally(record: Record, storages: set[Hashable]) -> Tally:
    """The tally of a record after all that saved `storages` already; those that it saves are added to them."""
    saved = []
    for tensor in record.saved:
        saved.append((tensor, tensor.storage not in storages))
        storages.add(tensor.storage)
    if not isinstance(record, Call):
        return Tally(saved, record.backward, saved)
    result = Tally(saved, record.recomputed, [*saved], runs=record.runs)
    for part in record.body:
        first = tally(part, storages)
        result.places += first.places
        if not isinstance(part, Call) or part.sample is None:
            result.parts.append(first)
            continue
        # The order matters: the sample ran after the first one, and all later calls before the records that follow.
        sample = tally(part.sample, storages)
        result.surplus += _surplus(first, sample, runs=1)
        for later in part.later:
            if later.call:
                result.surplus += _surplus(tally(later.call, storages), sample, runs=1)
            else:
                result.surplus += _unrun_surplus(later, sample, storages)
        sample.runs = part.runs
        result.parts.append(sample)
    return result


def _surplus(first: Tally, sample: Tally, runs: int) -> list[Surplus]:
    """What the first of two identical calls has more, walked through both at once; each part runs `runs` times."""
    surplus = []
    for (tensor, is_new), (_, is_new_again) in zip(first.saved, sample.saved, strict=True):
        if is_new != is_new_again:
            sign = 1 if is_new else -1
            surplus.append(Surplus(tensor.label, tensor.size * runs * sign, Expr()))
    if first.backward != sample.backward:
        surplus.append(Surplus("", Expr(), (first.backward - sample.backward) * runs))
    for part, part_again in zip(first.parts, sample.parts, strict=True):
        surplus += _surplus(part, part_again, runs * part.runs)
    # A stack within either call has a surplus of its own, printed with the sample's; what is left is the difference.
    size = total(s.size for s in first.surplus) - total(s.size for s in sample.surplus)
    backward = total(s.backward for s in first.surplus) - total(s.backward for s in sample.surplus)
    if size.terms or backward.terms:
        surplus.append(Surplus("", size * runs, backward * runs))
    return surplus


def _unrun_surplus(later: Later, sample: Tally, storages: set[Hashable]) -> Iterator[Surplus]:
    """What a call that did not run saves otherwise than the second one did; what it saved is added to `storages`."""
    for (tensor, is_new), storage in zip(sample.places, later.storages, strict=True):
        if storage is not None and (storage not in storages) != is_new:
            yield Surplus(tensor.label, tensor.size * (-1 if is_new else 1), Expr())
        storages.add(storage)
    storages.update(later.results)
