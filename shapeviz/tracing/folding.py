"""Folding: of identical calls the first two run, the others are answered, and all of them are counted in one.

What happens to the calls of one kind (layers 0 … N-1 of a list, say) within one call of their parent:

    call 0             runs; it is the group's first kind
    call 1             runs; its log is identical, so it is dropped from the parent's, and kept as the sample of what
                       each further call adds; from its result the answer to all further ones is made
    calls 2 … N-2      do not run: they are counted, and get tensors of the shapes and layouts of the answer
    call N-1           runs, as the last child of its list, to see whether it still does the same; if it does not, the
                       trace begins anew without folding (UnlikeError)

A call that looked at its module's position, or got an object that it could change, spoils its group (`answers` is
false): then all run, and those that did the same are counted together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from shapeviz.tracing.log import Call, Later, identical
from shapeviz.tracing.recording import Recording
from shapeviz.tracing.torch_private import DisableTorchFunction, TreeSpec, tree_flatten, tree_leaves


class UnlikeError(Exception):
    """The last of identical layers did something else than the first two, so those between them must run as well."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The result that a call like one that ran gets: each tensor of it one of the arguments, or a new one.

    structure, leaves: the result of the call that ran. arguments: of a leaf that was an argument, the number of that
    argument. saved: the leaves that the call itself saved for the backward pass. places: of each tensor that it saved,
    whether its storage was that of an argument or of a leaf of the result, and which; None where it was neither.
    reached: the leaves that the backward pass came to, once it has run.
    """

    structure: TreeSpec
    leaves: tuple[object, ...]
    arguments: Mapping[int, int]
    saved: frozenset[int]
    places: tuple[tuple[str, int] | None, ...]
    reached: set[int]

    def leaves_for(self, args: object, kwargs: object, linked: bool) -> list[object]:
        """The leaves of the result of a call with these arguments.

        `linked`: there will be a backward pass, which goes on to the arguments. Without one the tensors of the call
        that ran serve for all.
        """
        inputs = tree_leaves((args, kwargs))
        leaves = list(self.leaves)
        if linked:
            new = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and i not in self.arguments}
            for i, tensor in zip(new, _linked([*new.values()], inputs), strict=True):
                leaves[i] = tensor
        for i, number in self.arguments.items():
            leaves[i] = inputs[number]
        return leaves

    def later(self, inputs: object, leaves: Sequence[object], storage: Callable[[Tensor], Hashable]) -> Later:
        """Where a call with these arguments and this result keeps what it saves."""
        values: dict[str, Sequence[Any]] = {"argument": tree_leaves(inputs), "result": leaves}
        results = {storage(leaf) for i in self.saved if isinstance(leaf := leaves[i], Tensor)}
        places = (place and storage(values[place[0]][place[1]]) for place in self.places)
        return Later(tuple(places), frozenset(results))


@dataclass(eq=False)
class Group:
    """The calls within one call of a parent that may be identical, since their modules and inputs are.

    `kinds` are those that differ in what they did, each with the number of its runs.
    """

    answers: bool = True
    kinds: list[Call] = field(default_factory=list)
    answer: Answer | None = None

    @property
    def settled(self) -> Answer | None:
        """The answer to a further call; None if it must run."""
        return self.answer if self.answers and len(self.kinds) == 1 else None

    def join(self, call: Call, countable: bool) -> Call | None:
        """Folds a call that ran into an earlier identical one, which is returned; None if it is the first of its kind.

        The second such call is kept as a sample of the marginal cost. `countable`: it may be counted with others at
        this place. Raises UnlikeError if calls were answered already, as this one would have been, and wrongly.
        """
        same = next((kind for kind in self.kinds if countable and identical(kind, call)), None)
        if same is None:
            if self.answers and any(kind.runs > 2 for kind in self.kinds):
                raise UnlikeError
            self.kinds.append(call)
            return None
        same.count(call.module, call.module_paths[0])
        if same.sample is None:
            same.sample = call
        else:
            same.later.append(Later(call=call))
        return same


def answer_of(call: Call, inputs: object, result: object, recording: Recording) -> Answer | None:
    """What a further call like this one gets; None if the result holds an object that each call makes for itself."""
    leaves, structure = tree_flatten(result)
    if not all(leaf is None or isinstance(leaf, Tensor | int | float | bool | str) for leaf in leaves):
        return None
    read = {i: leaf for i, leaf in enumerate(tree_leaves(inputs)) if isinstance(leaf, Tensor)}
    numbers = {id(leaf): i for i, leaf in read.items()}
    tensors = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    arguments = {i: numbers[id(leaf)] for i, leaf in tensors.items() if id(leaf) in numbers}
    everything = call.storages
    saved = {i for i, leaf in tensors.items() if recording.storage(leaf) in everything}
    homes: dict[Hashable, tuple[str, int]] = {recording.storage(leaf): ("result", i) for i, leaf in tensors.items()}
    homes |= {recording.storage(leaf): ("argument", i) for i, leaf in read.items()}
    places = tuple(homes.get(kept.storage) for kept in call.all_saved)
    return Answer(structure, tuple(leaves), arguments, frozenset(saved), places, reached(leaves))


def reached(leaves: Sequence[object]) -> set[int]:
    """The numbers of the tensors that the backward pass comes to, from now on."""
    found: set[int] = set()
    with DisableTorchFunction():
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor) and leaf.requires_grad:
                leaf.register_hook(lambda gradient, i=i: found.add(i))  # type: ignore[no-untyped-call]
    return found


class _Linked(Protocol):
    """The context of Folded: what it read, as shapes, dtypes and devices."""

    like: list[tuple[torch.Size, torch.dtype, torch.device]]
    needs_input_grad: tuple[bool, ...]


class Folded(torch.autograd.Function):
    """A call that is not run: the backward pass goes through it to what it read."""

    @staticmethod
    def forward(ctx: _Linked, make: Callable[[], tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.like = [(tensor.shape, tensor.dtype, tensor.device) for tensor in inputs]
        return make()

    @staticmethod
    def backward(ctx: _Linked, *grads: Tensor) -> tuple[Tensor | None, ...]:
        needed = zip(ctx.like, ctx.needs_input_grad[1:], strict=True)
        return (None, *(torch.empty(s, dtype=t, device=d) if need else None for (s, t, d), need in needed))


def _linked(like: list[Tensor], inputs: Sequence[object]) -> Sequence[Tensor]:
    """New tensors of these shapes and layouts, through which the backward pass goes on to what was read."""

    def make() -> tuple[Tensor, ...]:
        return tuple(torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device) for t in like)

    with DisableTorchFunction():
        if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in like)):
            return make()
        learned = [leaf for leaf in inputs if isinstance(leaf, Tensor) and leaf.requires_grad]
        # Without an input that requires a gradient it is weights of its own that the call would learn.
        made: Sequence[Tensor] = Folded.apply(make, *(learned or [torch.empty((), requires_grad=True)]))  # type: ignore[no-untyped-call]
        return made


def is_last(parent: nn.Module, name: str) -> bool:
    """True for the last child of a list: it always runs, to see whether it still does what the first ones did."""
    container, _, last = name.rpartition(".")
    return last.isdigit() and int(last) == len(parent.get_submodule(container)._modules) - 1
