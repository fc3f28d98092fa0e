"""What is lent to Python while a class is built and run with letters for its arguments.

A constructor does much that needs numbers and decides no size: it draws initial values whose spread is a square root of
a width, asks whether an argument is an integer, takes the quotient of two sizes through a float. Here each of these is
replaced, in the namespaces of the Python modules that use it, by one that takes torch's symbolic integers:

* initialisers (`torch.nn.init`, `reset_parameters`) do nothing: no value is ever looked at
* `int`, `float`, `round`, `math.*` of a symbolic number stay symbolic; of numbers they are Python's own
* `isinstance(n, int)`, `type(n) is int` and `numbers.Integral` know symbolic integers; `divmod` divides them
* what text, or the key of a table, is made of one takes it for a number: no name of torch's for it gets into a module
* `copy.deepcopy` copies tensors without data
* `torch.linspace`, `arange`, `tensor` … of plain numbers give real small tensors, whose values code may read
"""

from __future__ import annotations

import builtins
import math
import numbers
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import SymBool, SymFloat, SymInt, Tensor, nn

from shapeviz.tracing.torch_private import FakeTensor

INITIALISERS = {name: function for name, function in vars(nn.init).items() if name.endswith("_") and callable(function)}
# Packages whose own arithmetic is left alone: Python's, and of torch all that is no layer.
FOREIGN = ("torch", "numpy", "sympy", "shapeviz", "pytest", "_pytest", "mpmath")
OF_TORCH = ("torch.nn.modules", "torch.nn.functional", "torch.nn.parameter")


class _Number(type):
    """A class of numbers of Python's, under whose name symbolic ones pass as well."""

    own: type
    symbolic: tuple[type, ...]
    convert: Callable[[Any], Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], SymInt | SymFloat):
            return cls.convert(args[0])
        return cls.own(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, (cls.own, *cls.symbolic))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.own)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.own, name)

    def __eq__(cls, other: object) -> bool:
        return other is cls.own or other is cls or other in cls.symbolic

    def __hash__(cls) -> int:
        return hash(cls.own)

    def __getitem__(cls, item: Any) -> Any:
        return cls.own[item]  # type: ignore[index]

    def __or__(cls, other: Any) -> Any:
        return cls.own | other

    def __ror__(cls, other: Any) -> Any:
        return other | cls.own


def _truncated(value: SymInt | SymFloat) -> Any:
    """`int` of a symbolic number: of a quotient that is whole, the quotient."""
    return value if isinstance(value, SymInt) else math.trunc(value)


Int = _Number("int", (), {"own": int, "symbolic": (SymInt,), "convert": staticmethod(_truncated)})
Float = _Number("float", (), {"own": float, "symbolic": (SymFloat,), "convert": staticmethod(torch.sym_float)})


class _Class(_Number):
    """`type`, by which a symbolic number has the class that the code calls int, and a plain one has it as well."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = type(*args, **kwargs)
        if len(args) > 1:
            return made
        return Int if made in (int, SymInt) else Float if made in (float, SymFloat) else made


Type = _Class("type", (), {"own": type, "symbolic": ()})


def _divmod(value: Any, by: Any) -> Any:
    symbolic = isinstance(value, SymInt | SymFloat) or isinstance(by, SymInt | SymFloat)
    return (value // by, value % by) if symbolic else divmod(value, by)


def _asked_by() -> str:
    """The package of the code that called a method of a symbolic number."""
    package = str(sys._getframe(2).f_globals.get("__name__", "")).partition(".")[0]
    return "" if package == "__main__" else package


def _repr(number: SymInt | SymFloat) -> str:
    """Text of a symbolic number: torch's name of it in what torch and Python say, a plain number in a module."""
    if _asked_by() in (*FOREIGN, *sys.stdlib_module_names):
        return str(number.node._graph_repr())
    return repr(_plain(number))


def _format(number: SymInt | SymFloat, spec: str) -> str:
    if not spec and _asked_by() in (*FOREIGN, *sys.stdlib_module_names):
        return str(number.node._graph_repr())
    return format(_plain(number), spec)


def _hash(number: SymInt) -> int:
    """The number's own hash, so that tables find it; for torch and einops there is none, as they expect."""
    if _asked_by() in (*FOREIGN, "einops"):
        raise TypeError("unhashable type: non-nested SymInt")
    return hash(_plain(number))


def _plain(number: SymInt | SymFloat) -> int | float:
    """The number that it is in this run, which settles its letters."""
    return builtins.int(number) if isinstance(number, SymInt) else builtins.float(number)


def _round(value: Any, *digits: Any) -> Any:
    """Halves go to the even number: a quarter of 2·x - 1 is whole where the even one is the lower."""
    if not isinstance(value, SymFloat) or any(digit is not None for digit in digits):
        return value if isinstance(value, SymInt) and not digits else round(value, *digits)
    number: Any = value
    quarter = (2 * number - 1) / 4
    return math.floor(number + 0.5) + math.ceil(quarter) - math.floor(quarter) - 1


def _unary(name: str) -> Callable[..., Any]:
    """A function of `math`, of a symbolic number torch's own of it."""
    plain, symbolic = getattr(math, name), getattr(torch, f"_sym_{name}", None)

    def function(value: Any, *rest: Any) -> Any:
        if isinstance(value, SymInt | SymFloat) and not rest and symbolic:
            return symbolic(value)
        return plain(value, *rest)

    return function


def _prod(values: Any, *, start: Any = 1) -> Any:
    product = start
    for value in values:
        product = product * value
    return product


_MATH = SimpleNamespace(**{
    **vars(math), **{name: _unary(name) for name in ("sqrt", "log2", "sin", "cos", "tan", "tanh")}, "prod": _prod,
})  # fmt: skip


class _Integral(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, numbers.Integral | SymInt)


Integral = _Integral("Integral", (), {})
_NUMBERS = SimpleNamespace(**{**vars(numbers), "Integral": Integral})
_NAMED = {"int": Int, "float": Float, "type": Type, "round": _round, "divmod": _divmod}
_LENT: dict[int, object] = {id(math): _MATH, id(numbers): _NUMBERS, id(numbers.Integral): Integral} | {
    id(getattr(math, name)): getattr(_MATH, name) for name in ("sqrt", "prod", "log2")
}


def _untouched(tensor: Tensor, *args: object, **kwargs: object) -> Tensor:
    return tensor


_LENT |= {id(function): _untouched for function in INITIALISERS.values()}


@contextmanager
def lent_python() -> Iterator[None]:
    """All of it, for the time in which a class is built and run; every namespace is as it was afterwards."""
    with ExitStack() as stack:
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        for module in [*sys.modules.values()]:
            if isinstance(module, ModuleType) and (own := _of_module(module)):
                stack.enter_context(_changed(vars(module), own))
        for layer in _layers():
            stack.enter_context(attribute(layer, "reset_parameters", nothing))
        stack.enter_context(attribute(FakeTensor, "__deepcopy__", _deepcopy))
        for number in (SymInt, SymFloat):
            stack.enter_context(attribute(number, "__repr__", _repr))
            stack.enter_context(attribute(number, "__format__", _format))
        stack.enter_context(attribute(SymInt, "__hash__", _hash))
        for kind in (SymInt, SymFloat, SymBool):  # a copy would bring its own record of what was asked
            stack.enter_context(attribute(kind, "__deepcopy__", _itself))
        yield


def _of_module(module: ModuleType) -> dict[str, object]:
    """What a Python module is lent, by the names that it uses: values that it imported, and builtins."""
    name = str(vars(module).get("__name__", ""))
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names and package != "__main__":
        return {}
    if package in FOREIGN and not name.startswith((*OF_TORCH, "torch.nn.init")):
        return {}
    lent = {key: _LENT[id(value)] for key, value in vars(module).items() if id(value) in _LENT and key != "__class__"}
    if name == "torch.nn.init":
        return lent
    return lent | {key: value for key, value in _NAMED.items() if vars(module).get(key) is None}


def _layers() -> list[type]:
    """Torch's own layers, and the classes that these have it from, which draw initial values."""
    found = {own for layer in vars(nn).values() if isinstance(layer, type) for own in layer.__mro__}
    return [own for own in found if "reset_parameters" in vars(own) and own.__module__.startswith("torch.nn")]


def nothing(module: nn.Module) -> None:
    """In place of a method that draws initial values."""


def _itself(number: object, memo: object) -> object:
    return number


def _deepcopy(tensor: Tensor, memo: dict[int, Tensor]) -> Tensor:
    """A tensor without data, copied: torch's own way asks for the address of the data."""
    if id(tensor) not in memo:
        copy = tensor.detach().clone()
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(copy, tensor.requires_grad) if is_parameter else copy
    return memo[id(tensor)]


@contextmanager
def _changed(namespace: dict[str, Any], values: Mapping[str, object]) -> Iterator[None]:
    before = {key: namespace[key] for key in values if key in namespace}
    namespace.update(values)
    try:
        yield
    finally:
        for key in values:
            if key in before:
                namespace[key] = before[key]
            else:
                namespace.pop(key, None)


@contextmanager
def attribute(owner: type, name: str, value: object) -> Iterator[None]:
    """An attribute of a class, another one meanwhile."""
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
