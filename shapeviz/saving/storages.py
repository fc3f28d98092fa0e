"""Every storage once: which operation is the first to keep it, and what all runs of a repeated block share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from shapeviz.expr import Expr, product
from shapeviz.ir import ONE, Block, Node, Op, Tensor
from shapeviz.saving import flash
from shapeviz.saving.rules import LAYOUT, RULES, Context, Kept

Parts: TypeAlias = list[tuple[str, Expr]]


class Claim(NamedTuple):
    """That a node is the first to keep a storage of so many bytes."""

    node: Node
    label: str
    bytes: Expr


@dataclass
class Scope:
    """One run of a repeated block, or of the whole model: the storages made in it, and those kept in it.

    `settled` are those that a repeated block within it has kept run by run.
    """

    made: set[Hashable] = field(default_factory=set)
    claims: dict[Hashable, Claim] = field(default_factory=dict)
    settled: set[Hashable] = field(default_factory=set)

    def claim(self, storage: Hashable, claim: Claim) -> None:
        """Notes who keeps a storage, unless somebody does already."""
        self.claims.setdefault(storage, claim)


class Storages:
    """What each operation of a tree keeps, and what is kept once for all runs of a repeated block.

    A tensor that every run reads, an encoder's output, is kept once, beside the block. What a run hands to the next one
    is kept in every run.
    """

    def __init__(self, root: Block, dtype: str, *, flash: bool) -> None:
        self.flash = flash
        self.kept: dict[Node, Parts] = {}
        self.unknown: dict[str, str] = {}
        self.storage: dict[Tensor, Tensor] = {}
        self.times: dict[Tensor, Expr] = {}
        self.laid_out: set[Tensor] = set()  # results of a kernel that leaves the heads of a token side by side
        self.context = Context(dtype, set(), set())
        scope = Scope()
        self._walk(root, scope)
        for claim in (claim for key, claim in scope.claims.items() if key not in scope.settled):
            self._keep(claim)

    def _keep(self, claim: Claim) -> None:
        self.kept.setdefault(claim.node, []).append((claim.label, claim.bytes))

    def _of(self, tensor: Tensor) -> Tensor:
        """The tensor in whose storage it lies."""
        return self.storage.get(tensor, tensor)

    def _walk(self, block: Block, scope: Scope) -> None:
        for node in block.body:
            if isinstance(node, Op):
                self._op(node, scope)
            elif self.flash and flash.computes(node):
                self._attention(node, scope)
            elif node.repeat == ONE:
                self._walk(node, scope)
            else:
                self._runs(node, scope)

    def _op(self, op: Op, scope: Scope) -> None:
        if op.view:
            self.storage[op.output] = self._of(op.inputs[0])
            if op.kind in LAYOUT or op.inputs[0] in self.context.scattered:
                self.context.scattered.add(op.output)
        learning = self.context.learning
        learning.update(tensor for tensor in op.inputs if tensor.role == "param" and tensor.trainable)
        vectors = op.kind == "input" and op.output.dtype == "float32"
        if vectors or not learning.isdisjoint(op.inputs):
            learning.add(op.output)
        if op.kind == "merge_heads" and op.inputs[0] in self.laid_out:
            self.storage[op.output] = self._of(op.inputs[0])
        scope.made.update(map(self._of, (op.output, *op.others)))
        if op.kind in RULES:
            self._claim(op, RULES[op.kind](op, self.context), scope)
        else:
            letter = f"m_{len(self.unknown) + 1}"
            self.unknown[letter] = f"{letter}, what an operation of the kind {op.kind!r} keeps, is not known"
            scope.made.add((op, letter))
            scope.claim((op, letter), Claim(op, "unknown", Expr.symbol(letter)))

    def _attention(self, block: Block, scope: Scope) -> None:
        """Attention as one kernel, whose result lies head beside head."""
        last = block.body[-1]
        assert isinstance(last, Op)
        self.context.learning.add(block.output)
        self.laid_out.add(block.output)
        scope.made.add(block.output)
        self._claim(last, flash.kept(block, self.context), scope)

    def _claim(self, op: Op, kept: Iterable[Kept], scope: Scope) -> None:
        """Notes what an operation keeps; parameters, buffers and fixed tables are held anyway."""
        for tensor, label, size in kept:
            if tensor is None:
                assert size is not None
                scope.made.add((op, label))
                scope.claim((op, label), Claim(op, label, size))
            elif self._of(tensor).role == "data":
                storage = self._of(tensor)
                size = self.context.bytes(storage) * self.times.get(storage, ONE) if size is None else size
                scope.claim(storage, Claim(op, tensor.name, size))

    def _runs(self, block: Block, outer: Scope) -> None:
        """A block that runs more than once: what is made in a run is kept in every run."""
        given, handed_on = carried(block)
        scope = Scope()
        if given:
            self.context.learning.add(given)
        self._walk(block, scope)
        first = self._of(given) if given else None
        again = self._of(handed_on) in scope.claims if handed_on else False
        gathered = {self._of(tensor): tensor for tensor in block.inputs} if block.routed else {}
        for key, claim in scope.claims.items():
            if key in scope.settled:
                continue
            if key in gathered:  # each expert reads a copy of the tokens that are its own, found by their indices
                self._keep(claim)
                self._keep(Claim(claim.node, "indices (int64)", product(gathered[key].shape[:-1]) * 8))
            elif key in scope.made:
                self._keep(claim)
            elif key is first and not again:
                self._keep(claim)
                outer.settled.add(key)
            else:
                outer.claim(key, claim._replace(node=block))
        result = self._of(block.output)
        outer.made.add(result)
        if block.routed:
            self.times[result] = block.repeat
        if result in scope.claims:
            outer.settled.add(result)


def carried(block: Block) -> tuple[Tensor | None, Tensor | None]:
    """What a run gets from the one before, and what it hands on: the state of a recurrence, else the first input."""
    if block.routed or not block.inputs:
        return None, None
    return (block.inputs[-1], block.others[0]) if block.others else (block.inputs[0], block.output)
