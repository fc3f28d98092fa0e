"""When two calls of modules may be folded: all that can make a forward pass differ, as one value that can be compared.

Of a module: its class, attributes, parameters, hooks and submodules. Of a call: shapes and dtypes of the inputs, which
of them are one tensor, and the state of torch that operations read. Equal values are necessary, not sufficient:
calls.py lets the first two calls run and compares what they did.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from types import FunctionType, MethodType

import torch
from torch import Tensor, nn

from shapeviz.tracing.position import Position
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import tree_flatten

INNER = {"_parameters", "_buffers", "_modules", "training", "forward", "_is_full_backward_hook"}
HOOKS = {*nn.Module().__dict__} - INNER  # of these, torch's own, only those that are in use can make a difference
PLAIN = {int, float, str, bool, complex, bytes, type(None), torch.dtype, torch.device, type}
MOST_ITEMS = 64  # a longer container, as a table of a tokenizer is, counts by its identity
DEEPEST = 5  # levels of containers and closures that are looked into


def of_module(module: nn.Module, ownership: Callable[[Tensor], Hashable]) -> Hashable:
    """What a module is, whatever it is called with. `ownership` says whether a weight of it is another module's too."""
    own = module.__dict__
    attributes = tuple(
        (name, of_value(value)) for name, value in own.items() if name not in INNER and (name not in HOOKS or value)
    )
    tensors = tuple(
        (name, None if value is None else (_of_tensor(value), ownership(value)))
        for kind in ("_parameters", "_buffers")
        for name, value in dict.items(own[kind])
    )
    inner = tuple((name, child and of_module(child, ownership)) for name, child in own["_modules"].items())
    return (type(module), module.training, attributes, tensors, inner)


def of_weights(module: nn.Module) -> Hashable:
    """What a module has to be trained, whatever it does with it."""
    weights = tuple((name, w if w is None else _of_tensor(w)) for name, w in dict.items(module.__dict__["_parameters"]))
    return (type(module), weights, tuple((name, of_weights(child)) for name, child in module.named_children()))


def of_value(value: object, depth: int = 0) -> Hashable:
    """A value by what it says; an object of unknown kind by its identity."""
    if type(value) in PLAIN:
        return (type(value), value)

    def inner(item: object) -> Hashable:
        return of_value(item, depth + 1)

    shallow = depth < DEEPEST
    match value:
        case Position():  # whether it matters shows when code looks at it
            return "position"
        case torch.SymInt() | torch.SymBool() | torch.SymFloat():
            return ("symbolic", str(value.node.expr))
        case Tensor():  # one number may decide a branch; more are data
            return (_of_tensor(value), id(value) if value.numel() == 1 else 0)
        case FunctionType():
            closure = value.__closure__ if shallow else None
            cells = tuple(inner(cell.cell_contents) for cell in closure or ())
            return (value.__code__, cells, inner(value.__defaults__))
        case MethodType():
            return (inner(value.__func__), type(value.__self__))
        case partial():
            return (inner(value.func), inner(value.args), inner(value.keywords))
        case list() | tuple() if len(value) <= MOST_ITEMS and shallow:
            return (type(value), *map(inner, value))
        case dict() if len(value) <= MOST_ITEMS and shallow:
            return (type(value), *((inner(key), inner(item)) for key, item in value.items()))
        case set() | frozenset():
            return (type(value), frozenset(map(inner, value)))
        case type() | str() | int() | float():
            return (type(value), value)
    return (type(value), id(value))


def _of_tensor(tensor: Tensor) -> Hashable:
    return (tuple(n if type(n) is int else str(n) for n in tensor.shape), tensor.dtype, tensor.requires_grad)


def of_call(args: tuple[object, ...], kwargs: Mapping[str, object], symbols: Symbols) -> tuple[Hashable, bool]:
    """What a module is called with, and whether that is all that can go in or out: no object that it could change."""
    leaves, structure = tree_flatten((args, kwargs))
    first_places: dict[int, int] = {}
    inputs: list[Hashable] = []
    closed = True
    grad = torch.is_grad_enabled()
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):  # one tensor given twice is not two equal ones
            place = first_places.setdefault(id(leaf), i)
            inputs.append((symbols.shape(leaf.shape), leaf.dtype, leaf.requires_grad and grad, place))
        else:
            closed = closed and isinstance(leaf, (*PLAIN, torch.SymInt, FunctionType, slice))
            inputs.append(of_value(leaf))
    autocast = torch.is_autocast_enabled("cpu")
    return (tuple(inputs), str(structure), grad, autocast), closed
