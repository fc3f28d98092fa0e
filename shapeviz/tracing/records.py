"""What a trace writes down while the module runs: calls of modules, and in them the steps, one for each operation."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import Tensor


@dataclass(frozen=True)
class Saved:
    """A tensor that the backward pass will need: the storage it lives in, what it is, its bytes."""

    storage: Hashable
    label: str
    size: Expr


@dataclass(eq=False)
class Step:
    """One operation as the module's code wrote it, with all that torch made of it."""

    kind: str
    text: str
    site: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    flops: Expr = field(default_factory=Expr)
    backward: Expr = field(default_factory=Expr)
    saved: list[Saved] = field(default_factory=list)
    made: set[Expr] = field(default_factory=set)
    failed: bool = False


@dataclass(eq=False)
class Call:
    """One call of a module: `name` is its path from the module that called it.

    `members` are the modules whose calls it stands for, `times` how often they ran; `second` is the call of the next
    of them, by which one sees what every further one adds; `covered` are storages of theirs that are counted already.
    """

    module: nn.Module
    name: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    body: list[Record] = field(default_factory=list)
    recomputed: Expr = field(default_factory=Expr)
    saved: list[Saved] = field(default_factory=list)
    members: list[nn.Module] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    times: int = 1
    second: Call | None = None
    covered: set[Hashable] = field(default_factory=set)

    @property
    def events(self) -> Iterator[Saved]:
        """Every tensor that was saved in the call, in the order of its tree."""
        yield from self.saved
        for record in self.body:
            yield from record.events if isinstance(record, Call) else record.saved


Record: TypeAlias = Step | Call


def alike(one: Record, other: Record) -> bool:
    """True if both did the same: operations, shapes, costs and what was saved, down to the last step.

    How many calls the two stand for themselves does not matter, only how many those within them do.
    """
    if _shapes(one) != _shapes(other) or _sizes(one) != _sizes(other):
        return False
    if isinstance(one, Step) and isinstance(other, Step):
        return (one.kind, one.flops) == (other.kind, other.flops)
    if isinstance(one, Call) and isinstance(other, Call):
        same = type(one.module) is type(other.module) and len(one.body) == len(other.body)
        return same and _times(one) == _times(other) and all(map(alike, one.body, other.body))
    return False


def _times(call: Call) -> list[int]:
    return [record.times for record in call.body if isinstance(record, Call)]


def _shapes(record: Record) -> list[tuple[tuple[Expr, ...], str, str]]:
    return [(t.shape, t.dtype, t.role) for t in (*record.inputs, *record.outputs)]


def _sizes(record: Record) -> list[Expr]:
    return [saved.size for saved in record.saved]
