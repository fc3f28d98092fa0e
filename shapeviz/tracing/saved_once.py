"""Bytes saved for the backward pass, each storage counted once, and what the first of identical calls has more.

Of N identical layers the second one stands for every further one: it reads what the first one has saved already. So
the model saves  N · (what the second saves) + surplus,  where the surplus is what the first saves beyond that: a memory
that every layer reads, the input of the stack. It is set apart, once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from shapeviz.expr import Expr, total
from shapeviz.tracing.log import Call, Record, Saved


@dataclass
class Tally:
    """What one record costs for the backward pass: tensors saved, each with whether its storage is new, and FLOPs.

    `parts` are the tallies of the records within it, in order; `runs` says how often it runs in its caller; `surplus`
    is what the first of identical calls within it has more than the others.
    """

    saved: list[tuple[Saved, bool]]
    backward: Expr
    parts: list[Tally] = field(default_factory=list)
    runs: int = 1
    surplus: list[Surplus] = field(default_factory=list)

    @property
    def saved_first(self) -> tuple[tuple[str, Expr], ...]:
        """Dtype and bytes of the tensors whose storage no earlier record saved."""
        return tuple((saved.label, saved.size) for saved, is_new in self.saved if is_new)


@dataclass(frozen=True)
class Surplus:
    """What the first of identical calls saves, and costs in the backward pass, beyond each further one.

    Negative where a further one has more.
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
        return Tally(saved, record.backward)
    result = Tally(saved, record.recomputed, runs=record.runs)
    for part in record.body:
        first = tally(part, storages)
        if not isinstance(part, Call) or part.sample is None:
            result.parts.append(first)
            continue
        # The order matters: the sample ran after the first one, and all later calls before the records that follow.
        sample = tally(part.sample, storages)
        storages.update(part.later_storages)
        result.surplus += _surplus(first, sample, runs=1)
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
