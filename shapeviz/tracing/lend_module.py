"""A module lent to a trace: its tensors stand-ins without data while it runs, all as it was afterwards.

The module stays the same object, with the same submodules, so that whatever its code does with them it does as ever.
What changes while it is lent: parameters, buffers and tensors in attributes are stand-ins; containers in attributes are
copies; `forward` is wrapped. At the end every `__dict__` is put back as it was, so also what forward itself assigned.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from shapeviz.tracing.torch_private import DisableTorchFunction, FakeTensor, FakeTensorMode, without_modes

CPU = torch.device("cpu")  # where every stand-in claims to be, whatever the module's device: one device, one formula
CONTAINERS = {list, tuple, set, dict, OrderedDict, defaultdict, deque}
TENSORS = ("_parameters", "_buffers")
Wrap = Callable[[str, nn.Module], Callable[..., object]]  # of a module and its path: the forward that it gets


class LentTensors(dict[str, Any]):
    """The parameters or buffers of a module, each turned into a stand-in when the module's code reads it.

    `nn.Module.__getattr__` looks up `_parameters` and `_buffers` by item, so no code of the module's has to change.
    """

    def __init__(self, real: dict[str, Any], stand_in: Callable[[Tensor], Tensor]) -> None:
        super().__init__(real)
        self._stand_in = stand_in
        self._watched: dict[str, tuple[object, Callable[[], None]]] = {}

    def watch(self, name: str, value: object, report: Callable[[], None]) -> None:
        """From here on the module finds one of its plain attributes here, and `report` is called when it is read."""
        self._watched[name] = value, report

    def __contains__(self, name: object) -> bool:
        return name in self._watched or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        if name in self._watched:
            value, report = self._watched[name]
            report()
            return value
        tensor = super().__getitem__(name)
        return None if tensor is None else self._stand_in(tensor)

    def get(self, name: str, default: object = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]


class StandIns:
    """Tensors without data for those of a module, one for each, however many names it has.

    `announce` is called with every tensor that is met for the first time, and its stand-in.
    """

    def __init__(self, mode: FakeTensorMode, announce: Callable[[Tensor, Tensor], None]) -> None:
        self.mode, self.announce = mode, announce
        # With the real tensor, so that its id is not given to another one meanwhile.
        self._by_id: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: set[int] = set()

    def __call__(self, real: Tensor) -> Tensor:
        if id(real) in self._own:
            return real
        if isinstance(real, FakeTensor):  # of a module that was built without data
            self._own.add(id(real))
            self.announce(real, real)
            return real
        if id(real) not in self._by_id:
            self._by_id[id(real)] = (real, self._make(real))
        return self._by_id[id(real)][1]

    def _make(self, real: Tensor) -> Tensor:
        with without_modes(), DisableTorchFunction():
            meta = torch.empty_strided(real.shape, real.stride(), dtype=real.dtype, device="meta")
            fake: Tensor = FakeTensor(self.mode, meta, CPU)
            if isinstance(real, nn.Parameter):
                fake = nn.Parameter(fake, requires_grad=real.requires_grad)
            elif real.requires_grad:
                fake.requires_grad_()
        self._own.add(id(fake))
        self.announce(real, fake)
        return fake


def uncompiled(module: Any) -> Any:
    """The module that torch.compile wraps, whose own forward would be compiled; any other as it is."""
    return module._modules.get("_orig_mod", module) if type(module).__name__ == "OptimizedModule" else module


@contextmanager
def lent(module: nn.Module, stand_in: StandIns, wrap: Wrap) -> Iterator[None]:
    """Every submodule with stand-ins for tensors and a forward of ours; all as before at the end, also on an error."""
    copies: dict[int, object] = {}
    with ExitStack() as stack:
        if torch.get_default_device() != CPU:
            stack.enter_context(CPU)
        for holder in [*module.modules()]:
            stack.callback(_restorer(holder))
            holder.__dict__["_modules"] = {name: uncompiled(part) for name, part in holder._modules.items()}
        submodules = list(module.named_modules())
        configurations: dict[int, object] = {}
        for _, submodule in submodules:
            stack.callback(_restorer(submodule))
            configurations.update((id(value), value) for value in submodule.__dict__.values() if _is_plain(value))
        for value in configurations.values():
            stack.callback(_restorer(value))
        stack.enter_context(_random_state())
        for path, submodule in submodules:
            _lend(submodule, path, stand_in, wrap, copies)
        yield


def _lend(module: nn.Module, path: str, stand_in: StandIns, wrap: Wrap, copies: dict[int, object]) -> None:
    """Changes the attributes of one submodule. `copies` has the containers that were copied for others already."""
    own = module.__dict__
    for name, value in [*own.items()]:
        if name not in TENSORS and (isinstance(value, Tensor) or type(value) in CONTAINERS):
            own[name] = _lent_value(value, stand_in, copies)
    for name in TENSORS:
        own[name] = LentTensors(own[name], stand_in)
    forward = wrap(path, module)
    if "forward" in own:
        own["_forward_of_its_own"] = own["forward"]  # which makes it unlike its siblings
    own["forward"] = forward


def _lent_value(value: object, stand_in: StandIns, copies: dict[int, object]) -> object:
    """A stand-in for a tensor, a copy of a container with stand-ins in it; one for each, however often it is held."""
    if isinstance(value, Tensor):
        return stand_in(value)
    if type(value) not in CONTAINERS:
        return value
    if id(value) not in copies:
        if isinstance(value, tuple):
            copies[id(value)] = tuple(_lent_value(item, stand_in, copies) for item in value)
            return copies[id(value)]
        assert isinstance(value, list | set | dict | deque)
        copies[id(value)] = copied = value.copy()  # before its items: a container may hold itself
        if isinstance(copied, dict):
            copied.update({key: _lent_value(item, stand_in, copies) for key, item in copied.items()})
        elif isinstance(copied, list | deque):
            copied.clear()
            copied.extend(_lent_value(item, stand_in, copies) for item in value)
    return copies[id(value)]


def _is_plain(value: object) -> bool:
    """True for an object of somebody's class, as a configuration is, whose attributes forward may change."""
    attributes = getattr(value, "__dict__", None)
    return type(attributes) is dict and not isinstance(value, nn.Module | Tensor | type | FunctionType | ModuleType)


def _restorer(thing: object) -> Callable[[], None]:
    """What puts the attributes of a module or another object back as they were."""
    kind, attributes = type(thing), thing.__dict__.copy()

    def restore() -> None:
        if type(thing) is not kind:
            thing.__class__ = kind
        thing.__dict__.clear()
        thing.__dict__.update(attributes)

    return restore


@contextmanager
def kept(inputs: object) -> Iterator[None]:
    """What objects among the inputs hold, and dicts and lists in them, is afterwards what it was."""
    with ExitStack() as stack:
        seen: set[int] = set()
        waiting = [inputs]
        while waiting:
            value = waiting.pop()
            if id(value) in seen or isinstance(value, Tensor | nn.Module):
                continue
            seen.add(id(value))
            if isinstance(value, dict):
                stack.callback(_refill, value, value.copy())
                waiting += value.values()
            elif isinstance(value, list | tuple):
                waiting += value
                if isinstance(value, list):
                    stack.callback(_refill, value, value.copy())
            elif _is_plain(value):
                stack.callback(_restorer(value))
                waiting += value.__dict__.values()
        yield


def _refill(container: dict[Any, Any] | list[Any], before: Any) -> None:
    container.clear()
    if isinstance(container, dict):
        container.update(before)
    else:
        container.extend(before)


@contextmanager
def _random_state() -> Iterator[None]:
    """The states of the random number generators of torch, Python and NumPy, and the default dtype, kept.

    A forward that draws lots draws the same ones every time.
    """
    states, pythons, dtype = torch.get_rng_state(), random.getstate(), torch.get_default_dtype()
    torch.manual_seed(0)
    random.seed(0)
    numpy = sys.modules.get("numpy")  # only if somebody imported it: we do not
    if numpy:
        numpys = numpy.random.get_state()
        numpy.random.seed(0)
    try:
        yield
    finally:
        torch.set_rng_state(states)
        random.setstate(pythons)
        torch.set_default_dtype(dtype)
        if numpy:
            numpy.random.set_state(numpys)
