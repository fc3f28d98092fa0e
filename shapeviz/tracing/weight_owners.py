"""To which block of a trace each weight belongs: to the first call that holds it, and to no other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import nn

from shapeviz.ir import Tensor
from shapeviz.tracing.log import Call, Step
from shapeviz.tracing.symbolic_sizes import Symbols

Weights = tuple[Tensor, ...]


@dataclass(frozen=True)
class Idle:
    """A submodule of which no part was called, and how many like it there are."""

    path: str
    module: nn.Module
    parameters: tuple[tuple[str, nn.Parameter], ...]
    copies: int = 1
    weights: Weights = ()


class WeightOwners:
    """Assigns the weights of a module to the calls of its trace, in the order in which these are asked about.

    Sets hold the ids of what the module itself keeps alive: `_owned` weights, `_called` and `_lending` submodules. A
    submodule lends a weight if it is never called and an operation of another module's forward reads it, as with
    `F.linear(x, self.table.weight)`.
    """

    def __init__(self, module: nn.Module, named: Mapping[int, Tensor], symbols: Symbols) -> None:
        self.module, self.symbols = module, symbols
        self._named = dict(named)
        self._owned: set[int] = set()
        self._first: dict[int, int] = {}  # of a weight of a copy, that of the module which the copy is counted with
        self._called: set[int] = set()
        self._lending: set[int] = set()
        self._lenders: dict[Call, set[int]] = {}

    def reach(self, root: Call) -> None:
        """Marks the submodules that ran, or stand for one that did, and those that lent a weight."""
        self._mark_called(root)
        self._mark_lending(root)  # afterwards: one that is called anywhere lends nothing

    def _mark_called(self, call: Call) -> None:
        for record in call.body:
            if isinstance(record, Call):
                self._mark_called(record)
        self._called.add(id(call.module))
        self._mark_copies(call, self._called)

    def _mark_lending(self, call: Call) -> None:
        for record in call.body:
            if isinstance(record, Call):
                self._mark_lending(record)
        self._lenders[call] = set(self._lenders_to(call))
        self._lending |= self._lenders[call]
        self._mark_copies(call, self._lending)

    def _mark_copies(self, call: Call, marked: set[int]) -> None:
        """In the modules that were folded into a call, what is marked in the one that ran."""
        paths = [path for path, module in call.module.named_modules() if id(module) in marked]
        for module in call.modules[1:]:
            marked.update(id(module.get_submodule(path)) for path in paths)

    def _lenders_to(self, call: Call) -> Iterator[int]:
        read = {tensor for step in call.body if isinstance(step, Step) for tensor in step.inputs}
        for path, module in call.module.named_modules():
            if not path or id(module) in self._called:
                continue
            weights = [weight for weight in dict.values(module._parameters) if weight is not None]
            if any(self._named.get(id(weight)) in read for weight in weights):
                yield id(module)

    def weights(self, call: Call) -> tuple[Weights, Weights]:
        """The weights that a call is the first to hold, and those that an earlier one owns already."""
        params: list[Tensor] = []
        tied: list[Tensor] = []
        for path, module in call.module.named_modules():
            if path and id(module) not in self._lenders[call]:
                continue
            for name, weight in dict.items(module._parameters):
                if weight is None:
                    continue
                tensor = self._tensor(weight, f"{path}.{name}" if path else name)
                (tied if id(weight) in self._owned else params).append(tensor)
                self._owned.add(id(weight))
        for copy in call.modules[1:]:  # whose weights are counted with the first one's, by `copies`
            for path, module in copy.named_modules():
                if id(module) in self._called or id(module) in self._lending:
                    first = dict(dict.items(call.module.get_submodule(path)._parameters))
                    own = {name: weight for name, weight in dict.items(module._parameters) if weight is not None}
                    self._owned.update(map(id, own.values()))
                    for name, weight in own.items():
                        self._first.setdefault(id(weight), id(first.get(name)))
        return tuple(dict.fromkeys(params)), tuple(dict.fromkeys(tied))

    def _tensor(self, weight: nn.Parameter, name: str) -> Tensor:
        """The tensor of the log for a weight; a new one if the trace never read it."""
        number = id(weight)
        while number in self._first:  # a copy within a copy
            number = self._first[number]
        if number not in self._named:
            shape = self.symbols.shape(weight.shape)
            dtype = str(weight.dtype).removeprefix("torch.")
            self._named[number] = Tensor(name, shape, dtype, "param", weight.requires_grad)
        return self._named[number]

    def idle(self) -> Iterator[Idle]:
        """The outermost submodules of which no part was called, one for each kind, if they have weights to own."""
        by_kind: dict[Hashable, Idle] = {}
        for idle in self._outermost():
            shapes = tuple((name, self.symbols.shape(weight.shape), weight.dtype) for name, weight in idle.parameters)
            kind = (re.sub(r"\d+", "", idle.path), type(idle.module), shapes)
            first = by_kind.setdefault(kind, replace(idle, copies=0))
            by_kind[kind] = replace(first, copies=first.copies + 1)
        for path, weight in self.module.named_parameters():  # of modules that ran without reading them
            if id(weight) not in self._owned:
                self._owned.add(id(weight))
                by_kind[path] = Idle(path, self.module, ((path, weight),))
        for idle in by_kind.values():
            tensors = dict.fromkeys(self._tensor(weight, name) for name, weight in idle.parameters)
            yield replace(idle, weights=tuple(tensors))

    def _outermost(self) -> Iterator[Idle]:
        paths: list[str] = []
        for path, module in self.module.named_modules():
            ran = any(id(part) in self._called or id(part) in self._lending for part in module.modules())
            if not path or ran or any(path.startswith(f"{outer}.") for outer in paths):
                continue
            paths.append(path)
            parameters = [(name, weight) for name, weight in module.named_parameters() if id(weight) not in self._owned]
            if parameters:
                self._owned.update(id(weight) for _, weight in parameters)
                yield Idle(path, module, tuple(parameters))
