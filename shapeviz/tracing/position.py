"""A module's position among its siblings, watched: a layer whose code looks at its own index is unlike the others.

Layers of a list often know their place (`self.layer_idx = 3`). Most hand it on without a look, to a cache that is off;
then they are identical. One that computes with it, compares it or takes an item by it may do something else than the
others, so every layer must run. `watch_position` makes both visible, in one of two ways:

* The attribute becomes a Position, an int whose operators report that they were used.
* A list takes an item by an int without asking its operators. Where a method of the class has `…[self.name]`, reading
  the attribute is reported instead: it moves out of `__dict__` to where `nn.Module.__getattr__` looks next.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Callable, Iterator
from functools import cache, wraps
from itertools import pairwise
from types import CodeType, FunctionType

from torch import nn

from shapeviz.tracing.lend_module import LentTensors

NAMES = re.compile(r"((layer|block|depth|level|stage)_?)?(idx|index|id|number|num)|layer|depth|i", re.IGNORECASE)
OPERATORS = """
eq ne lt le gt ge hash add radd sub rsub mul rmul mod rmod floordiv rfloordiv truediv rtruediv pow rpow index int bool
neg float str repr format divmod and or xor lshift rshift
"""


def _reporting(name: str) -> Callable[..., object]:
    """An operator of int that calls the instance's `report` first."""
    original: Callable[..., object] = getattr(int, name)

    @wraps(original)
    def operator(self: Position, *args: object) -> object:
        self.report()
        return original(self, *args)

    return operator


def _with_reports(kind: type[Position]) -> type[Position]:
    """The class with all its operators reporting: Python looks these up in the class, never in the instance."""
    for operator in OPERATORS.split():
        setattr(kind, f"__{operator}__", _reporting(f"__{operator}__"))
    return kind


@_with_reports
class Position(int):
    """An int that reports whenever code computes with it, compares it or prints it."""

    report: Callable[[], None]


def watch_position(module: nn.Module, report: Callable[[], None]) -> None:
    """From here on `report` is called whenever the module's code looks at its own place among its siblings."""
    attributes = module.__dict__
    names = [name for name, value in attributes.items() if type(value) is int and NAMES.fullmatch(name)]
    for name in names:
        if _takes_items_by(type(module), name):  # type: ignore[arg-type]
            buffers: LentTensors = attributes["_buffers"]
            buffers.watch(name, attributes.pop(name), report)
        else:
            position = Position(attributes[name])
            position.report = report
            attributes[name] = position


@cache
def _takes_items_by(kind: type, name: str) -> bool:
    """True if a method of the class has `…[self.name]`: in bytecode, an attribute loaded right before a subscript."""
    for code in _all_code(kind):
        # Python's own caches stand between the instructions of 3.11 and later
        steps = [(step.opname, step.argval) for step in dis.get_instructions(code) if step.opname != "CACHE"]
        for (load, attribute), (operation, sign) in pairwise(steps):
            # BINARY_SUBSCR until Python 3.13, since then a BINARY_OP
            subscript = operation == "BINARY_SUBSCR" or (operation == "BINARY_OP" and sign == "[]")
            if load == "LOAD_ATTR" and attribute == name and subscript:
                return True
    return False


def _all_code(kind: type) -> Iterator[CodeType]:
    """The code of every method of a class and its bases, and of the functions within."""
    functions = [value for base in kind.__mro__ for value in vars(base).values() if isinstance(value, FunctionType)]
    pending = [function.__code__ for function in functions]
    while pending:
        code = pending.pop()
        yield code
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
