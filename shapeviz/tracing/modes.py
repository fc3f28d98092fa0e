"""The two places where torch lets us watch: every function that is called, and every operation that it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._dispatch.python import enable_python_dispatcher
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from shapeviz.tracing.recorder import Recorder
from shapeviz.tracing.stand_ins import STAND_INS

QUESTIONS = {
    "size", "dim", "numel", "stride", "is_contiguous", "is_floating_point", "is_complex", "ndimension", "nelement",
    "element_size", "storage_offset", "get_device", "is_pinned", "__len__", "__bool__", "requires_grad_", "__format__",
    "__repr__", "__hash__", "data_ptr", "type", "is_same_size", "__get__", "__set__", "__delete__",
}  # fmt: skip
VIEWS = {"T", "mT", "H", "mH", "real", "imag", "data"}


class Functions(TorchFunctionMode):
    """Turns every function of torch that the module calls into a step, and runs some in a way of our own."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in QUESTIONS and not (name == "__get__" and _property(func) in VIEWS):
            return func(*args, **kwargs)
        run = STAND_INS.get(name) or (_with_stand_ins if name == "multi_head_attention_forward" else None)
        if self.recorder.in_backward:
            return _run(func, run, args, kwargs)
        with self.recorder.running(func, args, kwargs) as step:
            result = _run(func, run, args, kwargs)
            self.recorder.finish(step, args, kwargs, result)
        return result


def _run(func: Any, stand_in: Any, args: Any, kwargs: Any) -> Any:
    if stand_in is None:
        return func(*args, **kwargs)
    return stand_in(func, *args, **kwargs) if stand_in is _with_stand_ins else stand_in(*args, **kwargs)


def _property(func: Any) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "")


def _with_stand_ins(func: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of torch written in Python, whose inner calls no mode sees: our own ways lent to it meanwhile."""
    space = torch.nn.functional.__dict__
    before = {name: space[name] for name in ("scaled_dot_product_attention", "dropout")}
    space.update({name: STAND_INS[name] for name in before})
    try:
        return func(*args, **kwargs)
    finally:
        space.update(before)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Books the cost of every operation that torch comes to, forward and backward."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.recorder.dispatched(func, args, dict(kwargs or {}), out)
        return out


@contextmanager
def watching(recorder: Recorder, mode: Any) -> Iterator[None]:
    """Both ways of watching over a fake mode; tensors saved for the backward pass are reported if that is asked."""
    saving = torch.autograd.graph.saved_tensors_hooks(recorder.save, lambda value: value)
    with _no_look_at_masks(), enable_python_dispatcher(), mode, Operations(recorder), Functions(recorder):
        if not recorder.saves:
            yield
            return
        with saving:
            yield


@contextmanager
def _no_look_at_masks() -> Iterator[None]:
    """`torch.nn` compares masks with a causal one, which asks for data: it is lent a function that does not."""
    space = torch.nn.modules.transformer.__dict__
    before = space["_detect_is_causal_mask"]
    space["_detect_is_causal_mask"] = lambda mask, is_causal=None, size=None: bool(is_causal)
    try:
        yield
    finally:
        space["_detect_is_causal_mask"] = before
