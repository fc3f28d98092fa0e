"""The log of a trace: calls of modules, and in them the steps, one for each operation that the module's code wrote.

A log is made while the module runs, by recording.py, and folded meanwhile, by calls.py: identical calls are kept once,
with a count. block_tree.py makes a tree of blocks from it afterwards.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import Tensor


@dataclass(frozen=True)
class Saved:
    """A tensor that is kept for the backward pass: the storage it lives in, its dtype, its bytes."""

    storage: Hashable
    label: str
    size: Expr


@dataclass(eq=False)
class Step:
    """One operation as the module's code wrote it, with the costs of all that torch made of it.

    `text` is its equation, `site` the line of code; `made` are the bytes of tensors that torch allocated on the way. It
    `writes` unless all that torch made of it were views.
    """

    kind: str
    text: str
    site: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    flops: Expr = field(default_factory=Expr)
    backward: Expr = field(default_factory=Expr)
    saved: list[Saved] = field(default_factory=list)
    made: set[Expr] = field(default_factory=set)
    writes: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Later:
    """One of identical calls after the second: its log if it ran.

    If not, `storages` says where it keeps what the second one saved, tensor by tensor in its order, None for what no
    other call can have saved; `results` are the storages of its results that it saved.
    """

    storages: tuple[Hashable, ...] = ()
    results: frozenset[Hashable] = frozenset()
    call: Call | None = None


@dataclass(eq=False)
class Call:
    """One call of a module, or several identical ones folded into it. `name` is the path from the calling module.

    `modules` and `module_paths` are those whose calls it stands for, `runs` is how many calls that are. `sample` is the
    second of them, kept because its marginal cost is that of every further one, but for what `later` says of these.
    `recomputed` are FLOPs of a call that the backward pass ran again.
    """

    module: nn.Module
    name: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    body: list[Record] = field(default_factory=list)
    recomputed: Expr = field(default_factory=Expr)
    saved: list[Saved] = field(default_factory=list)
    modules: list[nn.Module] = field(default_factory=list)
    module_paths: list[str] = field(default_factory=list)
    runs: int = 1
    sample: Call | None = None
    later: list[Later] = field(default_factory=list)

    @property
    def all_saved(self) -> Iterator[Saved]:
        """Every tensor that was saved in the call and in those within it, in the order of its tree."""
        yield from self.saved
        for record in self.body:
            yield from record.all_saved if isinstance(record, Call) else record.saved

    @property
    def storages(self) -> set[Hashable]:
        """All that was saved in the call and in those within it, in every one of identical ones."""
        found = {saved.storage for saved in self.saved}
        for record in self.body:
            if isinstance(record, Step):
                found.update(saved.storage for saved in record.saved)
                continue
            found |= record.storages
            if record.sample:
                found |= record.sample.storages
            for later in record.later:
                found |= later.call.storages if later.call else {*later.storages, *later.results}
        return found

    def count(self, module: nn.Module, path: str) -> None:
        """One more call that this one stands for, of the same module or of another."""
        self.runs += 1
        self.module_paths.append(path)
        if all(other is not module for other in self.modules):
            self.modules.append(module)


Record: TypeAlias = Step | Call


def identical(record: Record, other: Record) -> bool:
    """True if both did the same: operations, shapes, costs and bytes saved, down to the last step.

    How many calls the two stand for themselves does not matter, only how many those within them do.
    """
    if _tensors(record) != _tensors(other) or _bytes(record) != _bytes(other):
        return False
    if isinstance(record, Step) and isinstance(other, Step):
        return (record.kind, record.flops) == (other.kind, other.flops)
    if isinstance(record, Call) and isinstance(other, Call):
        if type(record.module) is not type(other.module) or len(record.body) != len(other.body):
            return False
        return _runs(record) == _runs(other) and all(map(identical, record.body, other.body))
    return False


def _runs(call: Call) -> list[int]:
    return [record.runs for record in call.body if isinstance(record, Call)]


def _tensors(record: Record) -> list[tuple[tuple[Expr, ...], str, str]]:
    return [(tensor.shape, tensor.dtype, tensor.role) for tensor in (*record.inputs, *record.outputs)]


def _bytes(record: Record) -> list[Expr]:
    return [saved.size for saved in record.saved]
