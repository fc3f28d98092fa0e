"""The two places where torch lets us watch: every function that is called, and every operation that it comes to.

A function (`F.softmax`, `Tensor.__add__`) is what the module's code wrote: it becomes a step of the log. The operations
that it is made of (`aten::mm`) have the costs. A function mode sees the former, a dispatch mode the latter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from shapeviz.errors import ShapevizError
from shapeviz.tracing.process_state import replaced
from shapeviz.tracing.quick_shapes import quick
from shapeviz.tracing.recording import Recording
from shapeviz.tracing.stand_ins import STAND_INS
from shapeviz.tracing.torch_private import (
    DisableTorchFunction,
    FakeTensorMode,
    OpOverload,
    TorchDispatchMode,
    enable_python_dispatcher,
    without_modes,
)

# What code asks of a tensor: no operation, and no step.
QUESTIONS = {
    "size", "dim", "numel", "stride", "is_contiguous", "is_floating_point", "is_complex", "ndimension", "nelement",
    "element_size", "storage_offset", "get_device", "is_pinned", "__len__", "__bool__", "requires_grad_", "__format__",
    "__repr__", "__hash__", "data_ptr", "type", "is_same_size", "__get__", "__set__", "__delete__",
}  # fmt: skip
VALUES = {"item", "tolist", "__int__", "__float__", "__index__", "__bool__"}  # what code reads of a tensor's data
VIEWS = {"T", "mT", "H", "mH", "real", "imag", "data"}  # properties that are operations all the same
# Functions of torch's written in Python: no mode sees the functions that they call in turn.
WRITTEN_IN_PYTHON = {"multi_head_attention_forward"}
Function = Callable[..., object]
INNER: dict[str, Function] = {name: STAND_INS[name] for name in ("scaled_dot_product_attention", "dropout")}


class Functions(TorchFunctionMode):
    """Turns every function of torch that the module calls into a step, and runs some in a way of our own."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def __torch_function__(
        self, func: Function, types: object, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in VALUES and (known := self.recording.known.of(args[0])) is not None:
            self.recording.looks += 1  # a layer's buffer may say something else than its sibling's
            with without_modes(), DisableTorchFunction():
                return func(known, *args[1:], **kwargs)
        if name in VALUES and (answer := self.recording.routing.read(name, args[0])) is not None:
            return answer
        if name in QUESTIONS and not (name == "__get__" and _property(func) in VIEWS):
            return func(*args, **kwargs)
        if self.recording.in_backward:
            return _run(func, name, *args, **kwargs)
        with self.recording.running(func, args, kwargs) as step:
            own = partial(_run, func, name)
            caller = self.recording.frames[-1].call
            result = self.recording.routing.run(own, name, args, kwargs, caller)
            self.recording.finish(step, args, kwargs, result)
        self.recording.known.follow(func, args, kwargs, result)
        return result


def _run(func: Function, name: str, *args: object, **kwargs: object) -> object:
    if name in WRITTEN_IN_PYTHON:
        with replaced(torch.nn.functional.__dict__, INNER):
            return func(*args, **kwargs)
    return STAND_INS.get(name, func)(*args, **kwargs)


def _property(func: Function) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "")


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Books the cost of every operation that torch comes to, forward and backward."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recording = recording

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        kwargs = kwargs or {}
        out: object = func(*args, **kwargs)
        self.recording.dispatched(func, args, kwargs, out)
        return out


class PatienceError(ShapevizError):
    """A run has taken longer than it may."""


class Fakes(FakeTensorMode):
    """The mode of tensors without data, for one thread: what another one does with them nobody would count.

    deadline: the CPU time after which PatienceError is raised.
    """

    def __init__(self, recording: Recording, deadline: float, **options: Any) -> None:
        super().__init__(**options)
        self.recording, self.deadline = recording, deadline

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        self.recording.check_thread()
        if time.process_time() > self.deadline:
            raise PatienceError("torch reasons about the letters of this module for longer than --patience")
        if not kwargs and (answer := quick(self, func, args)) is not None:
            return answer
        return super().__torch_dispatch__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]


@contextmanager
def watching(recording: Recording, mode: FakeTensorMode) -> Iterator[None]:
    """Both ways of watching over a fake mode; tensors saved for the backward pass are reported if that is asked."""
    saving = torch.autograd.graph.saved_tensors_hooks(recording.save, lambda value: value)
    # torch.nn compares masks with a causal one, which asks for data; ours believes what the caller says.
    masks = replaced(torch.nn.modules.transformer.__dict__, {"_detect_is_causal_mask": _is_causal})
    with masks, enable_python_dispatcher(), mode, Operations(recording), Functions(recording):
        if not recording.saves:
            yield
            return
        with saving:
            yield


def _is_causal(mask: object, is_causal: bool | None = None, size: object = None) -> bool:
    return bool(is_causal)
