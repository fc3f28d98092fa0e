"""Folds: how the cost of a model is made of its parts. They add up, the greatest counts, or what lives at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from shapeviz.expr import Expr, maximum
from shapeviz.expr import total as added
from shapeviz.ir import ONE, Block, Node, Op, Tensor


class Part(NamedTuple):
    """A part of what a node costs by itself; `tensor` is the one that the part makes, where the fold is a peak."""

    label: str
    cost: Expr
    tensor: Tensor | None = None


Own: TypeAlias = Callable[[Node], Sequence[Part]]
Cost: TypeAlias = Callable[[Node], Expr]


@dataclass(frozen=True)
class Fold:
    """The cost of a node, of its `own` parts and of the costs of its children, each times what it counts.

    `adds`: it is a sum, so it can be derived line by line and split by kinds of module.
    """

    name: str
    cost: Callable[[Node, Own, Cost, Cost], Expr] = field(repr=False)
    adds: bool = False


def children(node: Node) -> tuple[Node, ...]:
    """The nodes within a block; an operation has none."""
    return node.body if isinstance(node, Block) else ()


def _total(node: Node, own: Own, child: Cost, times: Cost) -> Expr:
    return added([*(part.cost for part in own(node)), *(times(n) * child(n) for n in children(node))])


def _greatest(node: Node, own: Own, child: Cost, times: Cost) -> Expr:
    return _maximum([*(part.cost for part in own(node)), *map(child, children(node))])


def _maximum(costs: Iterable[Expr]) -> Expr:
    """The greatest, for whatever sizes; zero if there is none."""
    costs = dict.fromkeys(cost for cost in costs if cost.terms)
    return maximum(*costs) if costs else Expr()


def _undominated(costs: Iterable[Expr]) -> list[Expr]:
    """Without those that are no more than another one, term by term; which is the greatest depends on the sizes."""
    kept: list[Expr] = []
    for cost in sorted(dict.fromkeys(costs), key=lambda cost: len(cost.terms), reverse=True):
        if not any(all(more.terms.get(term, 0) >= number for term, number in cost.terms.items()) for more in kept):
            kept.append(cost)
    return kept


def _live_peak(node: Node, own: Own, child: Cost, times: Cost) -> Expr:
    return _maximum(_Lives(node, own).peak(node, {}))


total = Fold("total", _total, adds=True)
greatest = Fold("greatest", _greatest)
live_peak = Fold("live_peak", _live_peak)
Sizes: TypeAlias = Mapping[Tensor, Expr]
Peaks: TypeAlias = list[Expr]


class _Lives:
    """What lives when, within a tree: a tensor from the operation that makes it to the last one that reads it.

    A view keeps the tensor alive that it is a view of. `made` is what makes a tensor costs, by the tensor itself.
    """

    def __init__(self, root: Node, own: Own) -> None:
        self.made: dict[Tensor, Expr] = {}
        self.storage: dict[Tensor, Tensor] = {}
        self.reads: dict[Node, frozenset[Tensor]] = {}
        self.makes: dict[Node, frozenset[Tensor]] = {}
        self._read(root, own)

    def _read(self, node: Node, own: Own) -> None:
        """Notes the tensors that are read and made within a node, in the order in which the tree runs."""
        mine = {part.tensor: part.cost for part in own(node) if part.tensor}
        self.made.update(mine)
        if isinstance(node, Op) and node.view:
            self.storage[node.output] = self._of(node.inputs[0])
        for inner in children(node):
            self._read(inner, own)
        read = map(self._of, node.inputs) if isinstance(node, Op) else ()
        self.reads[node] = frozenset(read).union(*(self.reads[inner] for inner in children(node)))
        self.makes[node] = frozenset(mine).union(*(self.makes[inner] for inner in children(node)))

    def _of(self, tensor: Tensor) -> Tensor:
        """The tensor whose storage it lives in."""
        return self.storage.get(tensor, tensor)

    def _results(self, node: Node) -> set[Tensor]:
        return {self._of(tensor) for tensor in (node.output, *node.others)}

    def peak(self, node: Node, dying: Sizes) -> Peaks:
        """What lives while a node runs, wherever it may be the most: what is made in it, and what is dying in it.

        Dying are the tensors from outside that are read in it for the last time.
        """
        if isinstance(node, Op):
            return [added([*dying.values(), *(self.made[tensor] for tensor in self.makes[node])])]
        return self._sequence(node, dying)

    def _sequence(self, block: Block, dying: Sizes) -> Peaks:
        """Of one run of a block: node after node, each with what lives on beside it."""
        end = len(block.body)
        last = {tensor: i for i, node in enumerate(block.body) for tensor in self.reads[node]}
        last |= dict.fromkeys(self._results(block), end)
        alive, peaks = dict(dying), Peaks()
        for i, node in enumerate(block.body):
            ending = {tensor: size for tensor, size in alive.items() if last.get(tensor, i) <= i}
            alive = {tensor: size for tensor, size in alive.items() if tensor not in ending}
            beside = added(alive.values())
            peaks += [beside + peak for peak in self._runs(node, ending)]
            fresh = self._results(node) & self.makes[node]
            alive |= {tensor: self.made[tensor] for tensor in fresh if last.get(tensor, -1) > i}
        return _undominated(peaks)

    def _runs(self, node: Node, dying: Sizes) -> Peaks:
        """Of all runs of a node. Exact from three runs on; for fewer it is no less than what lives.

        Every run but the first gets what the one before has made (`carried`), and what else the block reads from
        outside lives until the last run. Experts run side by side on the same tensors and carry nothing.
        """
        if not isinstance(node, Block) or node.repeat == ONE:
            return self.peak(node, dying)
        carried = node.inputs[0] if node.inputs and not node.routed else None
        first = {tensor: size for tensor, size in dying.items() if carried and tensor is self._of(carried)}
        result = self.made.get(self._of(node.output))
        later = {self._of(carried): result} if carried and result else {}
        memory = added(size for tensor, size in dying.items() if tensor not in first)
        return [memory + peak for run in (first, later) for peak in self.peak(node, run)]
