"""A module lent to a trace: its tensors stand-ins without data while it runs, all as it was afterwards."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from operator import is_not
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CPU = torch.device("cpu")  # where every stand-in claims to be, whatever the module's device: one device, one formula


CONTAINERS = {list, set, dict, OrderedDict}


class Lent(dict[str, Any]):
    """The parameters or buffers of a module, each turned into a stand-in when it is asked for."""

    def __init__(self, real: dict[str, Any], stand_in: Callable[[Tensor], Tensor]) -> None:
        super().__init__(real)
        self._stand_in = stand_in

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return value if value is None else self._stand_in(value)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]


class StandIns:
    """Tensors without data for those of a module, one for each, however many names it has."""

    def __init__(self, mode: FakeTensorMode, made: Callable[[Tensor, Tensor], None]) -> None:
        self.mode, self.made = mode, made
        self.found: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: set[int] = set()

    def __call__(self, real: Tensor) -> Tensor:
        if id(real) in self._own or isinstance(real, FakeTensor):
            return real
        if id(real) not in self.found:
            self.found[id(real)] = (real, self._make(real))
        return self.found[id(real)][1]

    def _make(self, real: Tensor) -> Tensor:
        with torch.utils._python_dispatch._disable_current_modes(), torch._C.DisableTorchFunction():
            meta = torch.empty_strided(real.shape, real.stride(), dtype=real.dtype, device="meta")
            fake: Tensor = FakeTensor(self.mode, meta, CPU)
            if isinstance(real, nn.Parameter):
                fake = nn.Parameter(fake, requires_grad=real.requires_grad)
            elif real.requires_grad:
                fake.requires_grad_()
        self._own.add(id(fake))
        self.made(real, fake)
        return fake


@contextmanager
def lent(module: nn.Module, stand_in: StandIns, wrap: Callable[[str, nn.Module], Any]) -> Iterator[None]:
    """Every submodule with stand-ins for tensors and a forward of ours; all as before at the end, also on an error."""
    with ExitStack() as stack:
        if torch.get_default_device() != CPU:
            stack.enter_context(CPU)
        submodules = list(module.named_modules())
        for _, submodule in submodules:
            stack.callback(_restorer(submodule))
        stack.enter_context(_random_state())
        for place, submodule in submodules:
            own = submodule.__dict__
            for kind in ("_parameters", "_buffers"):
                own[kind] = Lent(own[kind], stand_in)
            for name in [name for name, value in own.items() if isinstance(value, Tensor)]:
                own[name] = stand_in(own[name])
            own["forward"] = wrap(place, submodule)
        yield


def _restorer(module: nn.Module) -> Callable[[], None]:
    """What puts a module's attributes back, and the contents of those that are lists, dictionaries or sets."""
    kind, attributes = type(module), module.__dict__.copy()
    held = [value for value in attributes.values() if type(value) in CONTAINERS]
    contents = [(value, value.copy()) for value in held if value]
    empty = [value for value in held if not value]

    def restore() -> None:
        if type(module) is not kind:
            module.__class__ = kind
        module.__dict__.clear()
        module.__dict__.update(attributes)
        for value in empty:
            if value:
                value.clear()
        for value, before in contents:
            if len(value) != len(before) or any(map(is_not, _items(value), _items(before))):
                value.clear()
                value.extend(before) if isinstance(value, list) else value.update(before)

    return restore


def _items(value: Any) -> Iterator[Any]:
    """The objects in a container, the keys and values of a dictionary in turn."""
    return chain.from_iterable(value.items()) if isinstance(value, dict) else iter(value)


@contextmanager
def _random_state() -> Iterator[None]:
    """The states of the random number generators of torch and Python, kept."""
    ours, pythons = torch.get_rng_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(ours)
        random.setstate(pythons)
