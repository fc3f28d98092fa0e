"""When two modules are alike: class, attributes, parameters, hooks, inputs: all that can make a forward pass differ."""

from __future__ import annotations

import dis
import re
from collections.abc import Callable, Hashable
from functools import cache, partial
from itertools import pairwise
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from shapeviz.tracing.symbols import Symbols

POSITION = re.compile(r"((layer|block|depth|level|stage)_?)?(idx|index|id|number|num)|layer|depth|i", re.IGNORECASE)
INNER = {"_parameters", "_buffers", "_modules", "training", "forward", "_is_full_backward_hook"}
HOOKS = {*nn.Module().__dict__} - INNER  # of these, torch's own, only those that are in use can make a difference
PLAIN = {int, float, str, bool, complex, bytes, type(None), torch.dtype, torch.device, type}


class Index(int):
    """A module's place among its siblings, as an attribute tells it: it notices when code looks at it."""

    seen: Callable[[], None]


def _noticed(name: str) -> Callable[..., Any]:
    original = getattr(int, name)

    def method(self: Index, *args: Any) -> Any:
        self.seen()
        return original(self, *args)

    return method


_LOOKS = """
eq ne lt le gt ge hash add radd sub rsub mul rmul mod rmod floordiv rfloordiv truediv rtruediv pow rpow index int bool
neg float str repr format divmod and or xor lshift rshift
"""
for _name in _LOOKS.split():
    setattr(Index, f"__{_name}__", _noticed(f"__{_name}__"))


def indexed(module: nn.Module, seen: Callable[[], None]) -> None:
    """Has every attribute watched that may tell a module's place among its siblings."""
    for name, value in [(name, value) for name, value in module.__dict__.items() if type(value) is int]:
        if not POSITION.fullmatch(name):
            continue
        if _subscripts(type(module), name):  # type: ignore[arg-type]
            module.__dict__["_buffers"].watch(name, module.__dict__.pop(name), seen)
        else:
            index = Index(value)
            index.seen = seen
            module.__dict__[name] = index


@cache
def _subscripts(kind: type, name: str) -> bool:
    """True if a method takes `…[self.name]`: a list gives its item without asking an Index, so reading is watched."""
    codes = [
        value.__code__ for base in kind.__mro__ for value in vars(base).values() if isinstance(value, FunctionType)
    ]
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        found = [(step.opname, step.argval) for step in dis.get_instructions(code) if step.opname != "CACHE"]
        for (load, attribute), (following, how) in pairwise(found):
            subscript = following == "BINARY_SUBSCR" or (following == "BINARY_OP" and how == "[]")
            if load == "LOAD_ATTR" and attribute == name and subscript:
                return True
    return False


def static(module: nn.Module, parameter: Callable[[Tensor], Hashable]) -> Hashable:
    """What a module is, whatever it is called with; `parameter` tells what an own weight is to the model."""
    own = module.__dict__
    attributes = tuple(
        (name, frozen(value)) for name, value in own.items() if name not in INNER and (name not in HOOKS or value)
    )
    tensors = tuple(
        (name, None if value is None else (_tensor(value), parameter(value)))
        for kind in ("_parameters", "_buffers")
        for name, value in dict.items(own[kind])
    )
    inner = tuple((name, child and static(child, parameter)) for name, child in own["_modules"].items())
    return (type(module), module.training, attributes, tensors, inner)


def frozen(value: Any, depth: int = 0) -> Hashable:
    """A value by what it says; an object of unknown kind by its identity."""
    if type(value) in PLAIN:
        return (type(value), value)
    match value:
        case Index():
            return "index"
        case torch.SymInt() | torch.SymBool() | torch.SymFloat():
            return ("symbolic", str(value.node.expr))
        case Tensor():
            return (_tensor(value), id(value) if value.numel() == 1 else 0)
        case FunctionType():
            cells = (
                tuple(frozen(cell.cell_contents, depth + 1) for cell in value.__closure__ or ()) if depth < 5 else ()
            )
            return (value.__code__, cells, frozen(value.__defaults__, depth + 1))
        case MethodType():
            return (frozen(value.__func__, depth + 1), type(value.__self__))
        case partial():
            return (frozen(value.func, depth + 1), frozen(value.args, depth + 1), frozen(value.keywords, depth + 1))
        case list() | tuple() if len(value) <= 64 and depth < 5:
            return (type(value), *(frozen(item, depth + 1) for item in value))
        case dict() if len(value) <= 64 and depth < 5:
            return (type(value), *((frozen(k, depth + 1), frozen(v, depth + 1)) for k, v in value.items()))
        case set() | frozenset():
            return (type(value), frozenset(frozen(item, depth + 1) for item in value))
    return (type(value), value if isinstance(value, type | str | int | float) else id(value))


def _tensor(value: Tensor) -> Hashable:
    return (tuple(n if type(n) is int else str(n) for n in value.shape), value.dtype, value.requires_grad)


def dynamic(args: Any, kwargs: Any, symbols: Symbols) -> tuple[Hashable, bool]:
    """What a module is called with, and whether nothing else can come in or go out by way of it."""
    leaves, structure = tree_flatten((args, kwargs))
    places: dict[int, int] = {}
    found: list[Hashable] = []
    closed = True
    grad = torch.is_grad_enabled()
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            first = places.setdefault(id(leaf), i)
            found.append((symbols.shape(leaf.shape), leaf.dtype, leaf.requires_grad and grad, first))
        else:
            closed = closed and isinstance(leaf, (*PLAIN, torch.SymInt, FunctionType, slice))
            found.append(frozen(leaf))
    autocast = torch.is_autocast_enabled("cpu")
    return (tuple(found), str(structure), grad, autocast), closed
