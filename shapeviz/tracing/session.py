"""One run of a module on tensors without data: modes, stand-ins and records brought together."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from shapeviz.ir import Tensor as Named
from shapeviz.tracing import stand_ins
from shapeviz.tracing.borrow import CPU, StandIns, lent
from shapeviz.tracing.calls import Calls
from shapeviz.tracing.modes import watching
from shapeviz.tracing.recorder import Recorder, tensors_in
from shapeviz.tracing.records import Call
from shapeviz.tracing.specs import TensorSpec, parse
from shapeviz.tracing.symbols import Symbols

DEEPEST = 6000


class Session:
    """One trace of one module; after an exception `recorder` still holds what was recorded until then."""

    def __init__(self, module: nn.Module, symbols: Symbols, *, saves: bool, backward: bool, fold: bool) -> None:
        self.module, self.symbols, self.backward = module, symbols, backward
        self.recorder = Recorder(symbols, saves)
        self.mode = FakeTensorMode(shape_env=symbols.env, allow_non_fake_inputs=True)
        self.stand_ins = StandIns(self.mode, self._named)
        self.calls = Calls(self.recorder, fold)
        self.names = {id(weight): name for name, weight in _weights(module)}
        self.weights: dict[int, Named] = {}
        self.inputs: list[Named] = []

    def run(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], labels: Sequence[str], input_grad: bool, evaluating: bool
    ) -> None:
        """Calls the module with what the specs describe, and passes back through it if asked to."""
        recorder = self.recorder
        with ExitStack() as stack:
            _prepare_python(stack)
            stack.enter_context(torch.enable_grad() if recorder.saves else torch.no_grad())
            counting = stand_ins.counter.set(recorder.count)
            stack.callback(stand_ins.counter.reset, counting)
            unsaved = stand_ins.unsaved.set(recorder.cannot_save)
            stack.callback(stand_ins.unsaved.reset, unsaved)
            with self.mode:
                real_args = [self._input(value, label, input_grad) for value, label in zip(args, labels, strict=False)]
                real_kwargs = {name: self._input(value, name, input_grad) for name, value in kwargs.items()}
            recorder.given = set(self.inputs)
            stack.enter_context(lent(self.module, self.stand_ins, self.calls.wrap))
            if evaluating:
                self.module.eval()
            for module in self.module.modules():
                if isinstance(module, nn.TransformerEncoder):  # its own way for padded batches asks for data
                    module.use_nested_tensor = module.enable_nested_tensor = False
            with watching(recorder, self.mode):
                result = self.run_module(real_args, real_kwargs)
                if self.backward:
                    self._backward(result)

    def run_module(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Here the module's own code begins: a line of code is looked for no further out."""
        outside = Call(self.module, "")
        try:
            with self.recorder.calling(outside, ""):
                result = self.module(*args, **kwargs)
        except BaseException:
            own = [record for record in outside.body if isinstance(record, Call) and record.module is self.module]
            self.recorder.root = own[-1] if own else outside
            raise
        self.recorder.root = _opened(outside, self.recorder.inputs(tensors_in(result)))
        return result

    def _input(self, value: Any, label: str, grad: bool) -> Any:
        """What a spec describes, each of its tensors under a name."""

        def named(tensor: Tensor, name: str) -> Tensor:
            tensor.requires_grad_(grad and tensor.is_floating_point() and self.recorder.saves)
            self.inputs.append(self.recorder.name(tensor, name))
            return tensor

        return made(value, self.symbols, named, label)

    def _named(self, real: Tensor, fake: Tensor) -> None:
        """A weight of the module, met for the first time."""
        role = "param" if isinstance(real, nn.Parameter) else "constant"
        name = self.names.get(id(real), "constant").rpartition(".")[2]
        self.weights[id(real)] = self.recorder.name(fake, name, role, real.requires_grad)
        self.recorder.state(fake)

    def _backward(self, result: Any) -> None:
        """The gradients of a loss, or else of the sum of all outputs, for all that is to be learned."""
        loss = getattr(result, "loss", None)
        found = [loss] if isinstance(loss, Tensor) and loss.requires_grad else tensors_in(result)
        outputs = [leaf for leaf in found if leaf.requires_grad]
        if outputs:
            self.recorder.in_backward = True
            grads = tuple(torch.ones_like(output) for output in outputs)
            # the engine itself: torch.autograd.backward would hide from our modes what is computed anew
            torch.autograd.Variable._execution_engine.run_backward(
                tuple(outputs), grads, False, False, (), allow_unreachable=True, accumulate_grad=True
            )


def _opened(outside: Call, outputs: tuple[Named, ...]) -> Call:
    """The call of the module itself, with what hooks did before and after it as steps of its own."""
    (own,) = [record for record in outside.body if isinstance(record, Call) and record.module is outside.module][-1:]
    at = outside.body.index(own)
    own.body[:] = [*outside.body[:at], *own.body, *outside.body[at + 1 :]]
    own.outputs = outputs
    return own


def _prepare_python(stack: ExitStack) -> None:
    """No words of torch's about errors that we explain, no search for garbage, and room for our frames."""
    for name in ("torch._subclasses.fake_tensor", "torch.__trace"):
        log = logging.getLogger(name)
        stack.callback(log.setLevel, log.level)
        log.setLevel(logging.CRITICAL + 1)
    if gc.isenabled():  # the many small objects live until the end: looking for garbage takes long and finds none
        stack.callback(gc.enable)
        gc.disable()
    stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEEPEST))


def made(
    value: Any, symbols: Symbols, named: Callable[[Tensor, str], Tensor] = lambda tensor, name: tensor, label: str = ""
) -> Any:
    """An argument as a spec describes it, within the fake mode; a real tensor as one without data of its shape."""
    match value:
        case TensorSpec(dtype, dims):
            return named(
                torch.empty([symbols.size(size) for size in dims], dtype=getattr(torch, dtype), device=CPU), label
            )
        case Tensor():
            return named(torch.empty(value.shape, dtype=value.dtype, device=CPU), label)
        case dict():
            return {key: made(item, symbols, named, f"{label}_{key}") for key, item in value.items()}
        case list() | tuple():
            items = [made(item, symbols, named, f"{label}_{i}") for i, item in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _weights(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def read(value: Any, label: str) -> Any:
    """A text as the spec that it is, also within tuples, lists and dicts; any other value as it is."""
    match value:
        case str():
            return parse(value)
        case dict():
            return {key: read(item, f"{label}[{key!r}]") for key, item in value.items()}
        case tuple() | list():
            items = [read(item, f"{label}[{i}]") for i, item in enumerate(value)]
            return (
                items if isinstance(value, list) else type(value)(*items) if hasattr(value, "_fields") else tuple(items)
            )
    return value
