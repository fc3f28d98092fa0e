"""Calls of modules: run and recorded, or, where an identical one was traced already, answered without running it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import wraps

from torch import Tensor, nn

from shapeviz.tracing.folding import Answer, Group, UnlikeError, answer_of, is_last, reached
from shapeviz.tracing.log import Call
from shapeviz.tracing.position import watch_position
from shapeviz.tracing.recording import Frame, Recording, tensors_in
from shapeviz.tracing.signature import of_call, of_module
from shapeviz.tracing.torch_private import DisableTorchFunction, tree_leaves, tree_unflatten
from shapeviz.wording import in_a_line


@dataclass(eq=False)
class Submodule:
    """A module while it is traced, and what its calls have come to: its last one that ran, its last answer.

    `signature` is made at its first call, when it is known which of its weights an earlier module owns.
    """

    module: nn.Module
    path: str
    forward: Callable[..., object]
    signature: Hashable = None
    call: Call | None = None
    answer: Answer | None = None


@dataclass(frozen=True, eq=False)
class Invocation:
    """One call in progress: of what, from where and with what. `name` is the path from the caller.

    `group` are the calls that it may be identical to (None without folding); `countable` says whether it comes at a
    place where it can be counted with them: in a list, or right after the last of them.
    """

    submodule: Submodule
    parent: Frame
    name: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    group: Group | None = None
    countable: bool = False


class Calls:
    """The forward of every submodule while it is traced."""

    def __init__(self, recording: Recording, fold: bool) -> None:
        self.recording, self.fold = recording, fold
        self._groups: dict[tuple[Call, Hashable], Group] = {}
        self._weight_numbers: dict[int, int] = {}
        self._reached: list[tuple[set[int], set[int]]] = []

    def wrap(self, path: str, module: nn.Module) -> Callable[..., object]:
        """The forward that stands in for a module's own while it is lent."""
        submodule = Submodule(module, path, module.forward)
        watch_position(module, self._look)

        @wraps(module.forward)
        def traced(*args: object, **kwargs: object) -> object:
            return self._called(submodule, args, kwargs)

        return traced

    def _look(self) -> None:
        self.recording.looks += 1

    def _called(self, submodule: Submodule, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        self.recording.check_thread()
        if self.recording.in_backward:
            return self._called_again(submodule, args, kwargs)
        with DisableTorchFunction():
            invocation = self._invocation(submodule, args, kwargs)
        group = invocation.group
        answer = group.settled if group and invocation.countable else None
        if group and answer and not is_last(invocation.parent.call.module, invocation.name):
            return self._answer(invocation, group.kinds[0], answer)
        return self._run(invocation)

    def _invocation(self, submodule: Submodule, args: tuple[object, ...], kwargs: dict[str, object]) -> Invocation:
        """A call with the group of those that it may be identical to."""
        parent = self.recording.frames[-1]
        name = _within(submodule.path, self.recording.module_paths)
        if not self.fold:
            return Invocation(submodule, parent, name, args, kwargs)
        container, _, last = name.rpartition(".")
        in_a_list = last.isdigit()
        if not in_a_list:
            container = name
        inputs, closed = of_call(args, kwargs, self.recording.symbols)
        if submodule.signature is None:
            submodule.signature = of_module(submodule.module, self._ownership)
        key = (container, submodule.signature, inputs)
        group = self._groups.setdefault((parent.call, key), Group(answers=closed))
        previous = parent.call.body[-1] if parent.call.body else None
        follows = bool(group.kinds) and previous is group.kinds[-1]
        # A leaf of a Sequential, `0` within the caller itself, may be called in any order: only neighbours are counted.
        anywhere = in_a_list and (bool(container) or any(True for _ in submodule.module.children()))
        return Invocation(submodule, parent, name, args, kwargs, group, anywhere or follows)

    def _run(self, invocation: Invocation) -> object:
        """Runs a call, keeps its log, and folds it into an identical one if there is one."""
        submodule, parent, group = invocation.submodule, invocation.parent, invocation.group
        module, args, kwargs = submodule.module, invocation.args, invocation.kwargs
        for own in (module, *module.children()):  # stand-ins cannot be made within a transform such as vmap
            own.__dict__["_parameters"].values()
        call = Call(module, invocation.name, self.recording.inputs((args, kwargs)))
        call.modules, call.module_paths = [module], [submodule.path]
        submodule.call = call
        parent.call.body.append(call)
        looks, attributes = self.recording.looks, module.__dict__.copy()
        with self.recording.calling(call, submodule.path):
            result = submodule.forward(*args, **kwargs)
        if _changed(attributes, module.__dict__):
            self._look()  # what forward leaves behind may matter to somebody: every one of its like must run
        outputs = tensors_in(result)
        if group and self.recording.looks != looks:
            group.answers = False
        self._name_outputs(call, parent, outputs, args, kwargs)
        self._own_weights(module)
        if group and (same := group.join(call, invocation.countable)):
            parent.call.body.remove(call)
            if same.sample is call:
                group.answer = answer_of(call, (args, kwargs), result, self.recording)
            self._rename(outputs, same)
        return result

    def _name_outputs(
        self, call: Call, parent: Frame, outputs: list[Tensor], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        """Labels what a call returns to its caller; an argument that is returned is a result all the same."""
        label = parent.unique(in_a_line(call.name.replace(".", "_")) or "module")
        arguments = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for output in outputs:
            returned = id(output) in arguments
            tensor = self.recording.name(output, label) if returned else self.recording.tensor(output)
            parent.labels[tensor] = label
            call.outputs += (tensor,)

    def _answer(self, invocation: Invocation, call: Call, answer: Answer) -> object:
        """The result of a call that is not run: it is counted in `call`, an identical one."""
        submodule = invocation.submodule
        leaves = answer.leaves_for(invocation.args, invocation.kwargs, linked=self.recording.saves)
        submodule.answer = answer
        call.count(submodule.module, submodule.path)
        self._own_weights(submodule.module)
        tensors = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
        self._rename([*tensors.values()], call)
        call.later.append(answer.later((invocation.args, invocation.kwargs), leaves, self.recording.storage))
        if self.recording.saves:
            self._reached.append((answer.reached, reached(leaves)))
        return tree_unflatten(leaves, answer.structure)

    def _rename(self, tensors: list[Tensor], call: Call) -> None:
        """The results of a folded call go by the names of those of the call that it is counted in."""
        for value, tensor in zip(tensors, call.outputs, strict=True):
            self.recording.same(value, tensor)

    # weights

    def _ownership(self, weight: Tensor) -> Hashable:
        """What a weight is when its module is first called: new, or one that an earlier module owns."""
        return self._weight_numbers.get(id(weight), "new")

    def _own_weights(self, module: nn.Module) -> None:
        """From here on the weights of a module are its own, unless an earlier one has them."""
        for submodule in module.modules():
            for kind in ("_parameters", "_buffers"):
                for weight in dict.values(submodule.__dict__[kind]):
                    if weight is not None:
                        self._weight_numbers.setdefault(id(weight), len(self._weight_numbers))

    # the backward pass

    def check_backward(self) -> None:
        """Raises UnlikeError if it came to a call that did not run otherwise than to the one that it is counted as."""
        if any(found != expected for expected, found in self._reached):
            raise UnlikeError

    def _called_again(self, submodule: Submodule, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """A call that the backward pass makes anew, as gradient checkpointing does."""
        if submodule.answer:
            leaves = submodule.answer.leaves_for(args, kwargs, linked=self.recording.saves)
            return tree_unflatten(leaves, submodule.answer.structure)
        if submodule.call is None:
            return submodule.forward(*args, **kwargs)
        self.recording.rerun.append(submodule.call)
        self.recording.mark(submodule.call)
        try:
            return submodule.forward(*args, **kwargs)
        finally:
            self.recording.rerun.pop()


def _changed(before: dict[str, object], now: dict[str, object]) -> bool:
    return before.keys() != now.keys() or any(before[name] is not value for name, value in now.items())


def _within(path: str, running: list[str]) -> str:
    """The path of a module from the running one: its own name, or the whole path if it stands elsewhere."""
    outer = running[-1] if running else ""
    return path[len(outer) + 1 :] if outer and path.startswith(outer + ".") else path
