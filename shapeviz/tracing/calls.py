"""Calls of modules: run and recorded, or, where one like it was traced already, answered without running it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from shapeviz.tracing.recorder import Frame, Recorder, tensors_in
from shapeviz.tracing.records import Call, alike
from shapeviz.tracing.signature import dynamic, indexed, static


@dataclass(eq=False)
class Group:
    """Alike calls within one call: those that differ in what they did, and how to answer for another one.

    `sure` is false where code looked at a module's place among its siblings, or got an object that it could change:
    then every one of them runs, and is counted with those that did the same.
    """

    kinds: list[Call] = field(default_factory=list)
    sure: bool = True
    answer: Answer | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """The result of a call: each tensor of it one of the arguments, or new with this shape and layout."""

    structure: TreeSpec
    leaves: tuple[Any, ...]
    given: dict[int, int]
    counted: frozenset[int]


class UnlikeError(Exception):
    """The last of alike layers did something else than the first two, so those between them must run as well."""


class Folded(torch.autograd.Function):
    """A call that is not run: the backward pass goes through it to what it read."""

    @staticmethod
    def forward(ctx: Any, make: Callable[[], tuple[Tensor, ...]], *read: Tensor) -> Any:
        ctx.like = [(tensor.shape, tensor.dtype, tensor.device) for tensor in read]
        return make()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        needed = zip(ctx.like, ctx.needs_input_grad[1:], strict=True)
        return (None, *(torch.empty(s, dtype=t, device=d) if need else None for (s, t, d), need in needed))


class Calls:
    """The forward of every submodule while it is traced."""

    def __init__(self, recorder: Recorder, fold: bool) -> None:
        self.recorder, self.fold = recorder, fold
        self._groups: dict[tuple[Call, Hashable], Group] = {}
        self._statics: dict[int, Hashable] = {}
        self._claims: dict[int, int] = {}
        self._skipped: dict[int, Answer] = {}
        self._calls: dict[int, Call] = {}
        self._looks = 0

    def wrap(self, place: str, module: nn.Module) -> Callable[..., Any]:
        """The forward that stands in for a module's own while it is lent."""
        forward = module.forward
        indexed(module, self._look)

        @wraps(forward)
        def traced(*args: Any, **kwargs: Any) -> Any:
            return self._call(module, place, forward, args, kwargs)

        return traced

    def _look(self) -> None:
        self._looks += 1

    def _call(self, module: nn.Module, place: str, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        recorder = self.recorder
        if recorder.in_backward:
            return self._again(module, forward, args, kwargs)
        parent = recorder.frames[-1]
        with torch._C.DisableTorchFunction():
            group, near = self._group(module, place, parent, args, kwargs)
        known = near and group is not None and group.sure and group.answer and len(group.kinds) == 1
        if group and known and not _is_last(parent.call.module, _within(place, recorder.places)):
            return self._answered(group, module, place, parent, args, kwargs)
        for submodule in (module, *module.children()):  # stand-ins cannot be made within a transform such as vmap
            submodule.__dict__["_parameters"].values()
        call = Call(module, _within(place, recorder.places), recorder.inputs((args, kwargs)))
        call.members, call.places = [module], [place]
        self._calls[id(module)] = call
        parent.call.body.append(call)
        looks, before = self._looks, module.__dict__.copy()
        with recorder.calling(call, place):
            result = forward(*args, **kwargs)
        if before.keys() != module.__dict__.keys() or any(before[n] is not v for n, v in module.__dict__.items()):
            self._look()  # what forward leaves behind may matter to somebody: every one of its like must run
        outputs = tensors_in(result)
        if group and self._looks != looks:
            group.sure = False
        self._leave(call, parent, outputs, args, kwargs)
        self._claim(module)
        if group:
            self._join(group, near, call, parent, outputs, (args, kwargs), result)
        return result

    def _leave(self, call: Call, parent: Frame, outputs: list[Tensor], args: Any, kwargs: Any) -> None:
        """Names what a call gives to the one that called it; an argument given back is a result all the same."""
        recorder = self.recorder
        label = parent.unique(call.name.replace(".", "_") or "module")
        given = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for output in outputs:
            tensor = recorder.name(output, label) if id(output) in given else recorder.tensor(output)
            parent.labels[tensor] = label
            call.outputs += (tensor,)

    # folding

    def _group(self, module: nn.Module, place: str, parent: Frame, args: Any, kwargs: Any) -> tuple[Group | None, bool]:
        """The calls that this one may be like, and whether it comes at a place where it can be counted with them."""
        if not self.fold:
            return None, False
        name = _within(place, self.recorder.places)
        container, _, last = name.rpartition(".")
        if not last.isdigit():
            container, last = name, ""
        inputs, closed = dynamic(args, kwargs, self.recorder.symbols)
        if id(module) not in self._statics:
            self._statics[id(module)] = static(module, self._claimed)
        key = (container, self._statics[id(module)], inputs)
        group = self._groups.setdefault((parent.call, key), Group(sure=closed))
        before = parent.call.body[-1] if parent.call.body else None
        follows = bool(group.kinds) and before is group.kinds[-1]
        anywhere = bool(last) and (bool(container) or any(True for _ in module.children()))
        return group, anywhere or follows

    def _claimed(self, weight: Tensor) -> Hashable:
        """What a weight is when its module is first called: new, or one that an earlier module owns."""
        return self._claims.get(id(weight), "new")

    def _claim(self, module: nn.Module) -> None:
        for submodule in module.modules():
            for kind in ("_parameters", "_buffers"):
                for weight in dict.values(submodule.__dict__[kind]):
                    if weight is not None:
                        self._claims.setdefault(id(weight), len(self._claims))

    def _join(
        self, group: Group, near: bool, call: Call, parent: Frame, outputs: list[Tensor], read: Any, result: Any
    ) -> None:
        """Counts a call that ran with one that did the same; the second is kept, to see what each further one adds."""
        same = next((kind for kind in group.kinds if near and alike(kind, call)), None)
        if same is None:
            if any(kind.times > 2 for kind in group.kinds) and group.sure:
                raise UnlikeError
            group.kinds.append(call)
            return
        parent.call.body.remove(call)
        self._count(same, call.module, call.places[0])
        if same.second is None:
            same.second = call
            group.answer = self._answer(call, read, result)
        else:
            same.covered.update(event.storage for event in call.events)
        for output, tensor in zip(outputs, same.outputs, strict=True):
            self.recorder.same(output, tensor)

    def _count(self, call: Call, module: nn.Module, place: str) -> None:
        call.times += 1
        call.places.append(place)
        if all(member is not module for member in call.members):
            call.members.append(module)

    def _answer(self, call: Call, read: Any, result: Any) -> Answer | None:
        leaves, structure = tree_flatten(result)
        if not all(leaf is None or isinstance(leaf, Tensor | int | float | bool | str) for leaf in leaves):
            return None
        given = {id(leaf): i for i, leaf in enumerate(tree_leaves(read)) if isinstance(leaf, Tensor)}
        saved = {event.storage for event in call.events}
        counted = {
            i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and self.recorder.storage(leaf) in saved
        }
        places = {i: given[id(leaf)] for i, leaf in enumerate(leaves) if id(leaf) in given}
        return Answer(structure, tuple(leaves), places, frozenset(counted))

    def _answered(self, group: Group, module: nn.Module, place: str, parent: Any, args: Any, kwargs: Any) -> Any:
        """The result of a call like one that ran."""
        call, answer = group.kinds[0], group.answer
        assert answer is not None
        leaves = self._fresh(answer, args, kwargs)
        self._skipped[id(module)] = answer
        self._count(call, module, place)
        self._claim(module)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        for tensor, known in zip(tensors, call.outputs, strict=True):
            self.recorder.same(tensor, known)
        call.covered.update(self.recorder.storage(leaves[i]) for i in answer.counted)
        return tree_unflatten(leaves, answer.structure)

    def _fresh(self, answer: Answer, args: Any, kwargs: Any) -> list[Any]:
        read = tree_leaves((args, kwargs))
        new = [i for i, leaf in enumerate(answer.leaves) if isinstance(leaf, Tensor) and i not in answer.given]

        leaves = list(answer.leaves)  # without a backward pass the result of the call that ran serves for all
        if self.recorder.saves:
            for i, tensor in zip(new, self._linked([answer.leaves[i] for i in new], read), strict=True):
                leaves[i] = tensor
        for i, place in answer.given.items():
            leaves[i] = read[place]
        return leaves

    def _linked(self, like: list[Tensor], read: list[Any]) -> Sequence[Tensor]:
        """New tensors of these shapes and layouts, through which the backward pass goes on to what was read."""

        def make() -> tuple[Tensor, ...]:
            return tuple(torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device) for t in like)

        with torch._C.DisableTorchFunction():
            if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in like)):
                return make()
            learned = [leaf for leaf in read if isinstance(leaf, Tensor) and leaf.requires_grad]
            made: Sequence[Tensor] = Folded.apply(make, *(learned or [torch.empty((), requires_grad=True)]))  # type: ignore[no-untyped-call]
            return made

    # the backward pass

    def _again(self, module: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A call that the backward pass makes anew, as gradient checkpointing does."""
        if id(module) in self._skipped:
            answer = self._skipped[id(module)]
            return tree_unflatten(self._fresh(answer, args, kwargs), answer.structure)
        if id(module) not in self._calls:
            return forward(*args, **kwargs)
        call = self._calls[id(module)]
        self.recorder.rerun.append(call)
        self.recorder.mark(call)
        try:
            return forward(*args, **kwargs)
        finally:
            self.recorder.rerun.pop()


def _within(place: str, places: list[str]) -> str:
    """The path of a module from the running one: its own name, or the whole path if it stands elsewhere."""
    outer = places[-1] if places else ""
    return place[len(outer) + 1 :] if outer and place.startswith(outer + ".") else place


def _is_last(parent: nn.Module, name: str) -> bool:
    """True for the last child of a list: it always runs, to see whether it still does what the first ones did."""
    container, _, last = name.rpartition(".")
    return last.isdigit() and int(last) == len(parent.get_submodule(container)._modules) - 1
