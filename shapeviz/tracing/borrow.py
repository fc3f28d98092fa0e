"""A module lent to a trace: its tensors stand-ins without data while it runs, all as it was afterwards."""

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
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CPU = torch.device("cpu")  # where every stand-in claims to be, whatever the module's device: one device, one formula


CONTAINERS = {list, tuple, set, dict, OrderedDict, defaultdict, deque}
TENSORS = ("_parameters", "_buffers")


class Lent(dict[str, Any]):
    """The parameters or buffers of a module, each turned into a stand-in when it is asked for."""

    def __init__(self, real: dict[str, Any], stand_in: Callable[[Tensor], Tensor]) -> None:
        super().__init__(real)
        self._stand_in = stand_in
        self._watched: dict[str, tuple[Any, Callable[[], None]]] = {}

    def watch(self, name: str, value: Any, seen: Callable[[], None]) -> None:
        """From here on the module finds one of its attributes here, and `seen` is told whenever it is read."""
        self._watched[name] = value, seen

    def __contains__(self, name: object) -> bool:
        return name in self._watched or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        if name in self._watched:
            value, seen = self._watched[name]
            seen()
            return value
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
    """Every submodule with stand-ins for tensors and a forward of ours; all as before at the end, also on an error.

    What forward may change while it runs, attributes and the containers in them, are copies.
    """
    copies: dict[int, Any] = {}
    with ExitStack() as stack:
        if torch.get_default_device() != CPU:
            stack.enter_context(CPU)
        submodules = list(module.named_modules())
        held: dict[int, Any] = {}
        for _, submodule in submodules:
            stack.callback(_restorer(submodule))
            held.update((id(value), value) for value in submodule.__dict__.values() if _is_plain(value))
        for value in held.values():
            stack.callback(_restorer(value))
        stack.enter_context(_random_state())
        for place, submodule in submodules:
            own = submodule.__dict__
            for name, value in [*own.items()]:
                if name not in TENSORS and (isinstance(value, Tensor) or type(value) in CONTAINERS):
                    own[name] = _lent_value(value, stand_in, copies)
            for name in TENSORS:
                own[name] = Lent(own[name], stand_in)
            forward = wrap(place, submodule)
            if "forward" in own:
                own["_forward_of_its_own"] = own["forward"]  # which makes it unlike its siblings
            own["forward"] = forward
        yield


def _lent_value(value: Any, stand_in: StandIns, copies: dict[int, Any]) -> Any:
    """A stand-in for a tensor, a copy of a container with stand-ins in it; one for each, however often it is held."""
    if isinstance(value, Tensor):
        return stand_in(value)
    if type(value) not in CONTAINERS:
        return value
    if id(value) not in copies:
        if type(value) is tuple:
            copies[id(value)] = tuple(_lent_value(item, stand_in, copies) for item in value)
            return copies[id(value)]
        copies[id(value)] = copied = value.copy()
        if isinstance(copied, dict):
            copied.update({key: _lent_value(item, stand_in, copies) for key, item in value.items()})
        elif not isinstance(copied, set):
            copied.clear()
            copied.extend(_lent_value(item, stand_in, copies) for item in value)
    return copies[id(value)]


def _is_plain(value: Any) -> bool:
    """True for an object of somebody's class, as a configuration is, whose attributes forward may change."""
    attributes = getattr(value, "__dict__", None)
    return type(attributes) is dict and not isinstance(value, nn.Module | Tensor | type | FunctionType | ModuleType)


def _restorer(thing: Any) -> Callable[[], None]:
    """What puts the attributes of a module or another object back as they were."""
    kind, attributes = type(thing), thing.__dict__.copy()

    def restore() -> None:
        if type(thing) is not kind:
            thing.__class__ = kind
        thing.__dict__.clear()
        thing.__dict__.update(attributes)

    return restore


@contextmanager
def _random_state() -> Iterator[None]:
    """The states of the random number generators of torch, Python and NumPy, and the default dtype, kept."""
    ours, pythons, dtype = torch.get_rng_state(), random.getstate(), torch.get_default_dtype()
    numpy = sys.modules.get("numpy")
    numpys = numpy.random.get_state() if numpy else None
    torch.manual_seed(0)  # a forward that draws lots draws the same ones every time
    random.seed(0)
    if numpy:
        numpy.random.seed(0)
    try:
        yield
    finally:
        torch.set_rng_state(ours)
        random.setstate(pythons)
        torch.set_default_dtype(dtype)
        if numpy:
            numpy.random.set_state(numpys)
