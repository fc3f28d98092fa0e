"""One run of a module on tensors without data: modes, stand-ins and the recording brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from math import inf

import torch
from torch import Tensor, nn

from shapeviz.ir import Tensor as Named
from shapeviz.tracing import huggingface, packed_sequences, stand_ins
from shapeviz.tracing.calls import Calls
from shapeviz.tracing.input_values import fake
from shapeviz.tracing.lend_module import StandIns, kept, lent
from shapeviz.tracing.lend_python import lent_python
from shapeviz.tracing.log import Call
from shapeviz.tracing.modes import Fakes, watching
from shapeviz.tracing.process_state import alone
from shapeviz.tracing.recording import Recording, tensors_in
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import backward_pass
from shapeviz.tracing.trace_request import TraceRequest
from shapeviz.wording import in_a_line


class FakeRun:
    """One run of one module; after an exception `recording` still holds what was logged until then.

    `weights` are the tensors of the log that stand for the module's weights, by the id of the weight; `inputs` those
    that stand for tensors among its inputs, in order.
    """

    def __init__(self, request: TraceRequest, symbols: Symbols, deadline: float = inf) -> None:
        self.request, self.symbols = request, symbols
        self.module = request.module  # of a class, one that is built in place of it when the run begins
        self.recording = Recording(symbols, request.saves)
        self.mode = symbols.fake_mode(partial(Fakes, self.recording, deadline))
        self.weights: dict[int, Named] = {}
        self.inputs: list[Named] = []
        self._weight_names: dict[int, str] = {}

    def run(self, evaluating: bool) -> None:
        """Calls the module with what the specs describe, and passes back through it if that is asked.

        evaluating: in evaluation mode, whatever mode the module is in. Raises whatever the module's code raises.
        """
        request, recording = self.request, self.recording
        calls = Calls(recording, request.fold)
        with ExitStack() as stack:
            stack.enter_context(alone())
            stack.enter_context(kept([*request.args, *request.kwargs.values()]))
            if request.blueprint:
                stack.enter_context(lent_python())
                self.module = request.blueprint.build(self.symbols, self.mode)
            weights = [*self.module.named_parameters(), *self.module.named_buffers()]
            self._weight_names = {id(weight): name for name, weight in weights}
            stack.enter_context(huggingface.settled(self.module, request.kwargs))
            stack.enter_context(torch.enable_grad() if recording.saves else torch.no_grad())
            stack.callback(stand_ins.counter.reset, stand_ins.counter.set(recording.count))
            stack.callback(stand_ins.unsaved.reset, stand_ins.unsaved.set(recording.cannot_save))
            stack.callback(packed_sequences.assume.reset, packed_sequences.assume.set(recording.assume))
            stack.enter_context(packed_sequences.unchecked())
            with self.mode:
                args = [self._input(value, label) for value, label in zip(request.args, request.labels, strict=False)]
                kwargs = {name: self._input(value, name) for name, value in request.kwargs.items()}
            recording.input_tensors = set(self.inputs)
            stack.enter_context(lent(self.module, StandIns(self.mode, self._name_weight), calls.wrap))
            prepare_modules(self.module, evaluating)
            with watching(recording, self.mode):
                result = self.run_module(args, kwargs)
                if request.training:
                    self._backward(result)
                    calls.check_backward()

    def run_module(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Here the module's own code begins: code_site.py looks for a line of code no further out."""
        outside = Call(self.module, "")
        try:
            with self.recording.calling(outside, ""):
                result = self.module(*args, **kwargs)
        except BaseException:
            self.recording.root = next(reversed(self._own_calls(outside)), outside)
            self.recording.raise_of_threads()
            raise
        self.recording.raise_of_threads()
        self.recording.root = self._opened(outside, self.recording.inputs(tensors_in(result)))
        return result

    def _own_calls(self, outside: Call) -> list[Call]:
        return [record for record in outside.body if isinstance(record, Call) and record.module is self.module]

    def _opened(self, outside: Call, outputs: tuple[Named, ...]) -> Call:
        """The call of the module itself, with what hooks did before and after it as steps of its own."""
        own = self._own_calls(outside)[-1]
        at = outside.body.index(own)
        own.body[:] = [*outside.body[:at], *own.body, *outside.body[at + 1 :]]
        own.outputs = outputs
        return own

    def _input(self, value: object, label: str) -> object:
        """What a spec describes, each of its tensors under a name."""

        def name(tensor: Tensor, name: str) -> Tensor:
            learns = self.request.input_grad and tensor.is_floating_point() and self.recording.saves
            if learns:  # as within a larger model, which made it: no leaf, so that it may be changed in place
                tensor = tensor.requires_grad_().clone()
            self.inputs.append(self.recording.name(tensor, name))
            return tensor

        return fake(value, self.symbols, name, label)

    def _name_weight(self, real: Tensor, stand_in: Tensor) -> None:
        """A weight of the module, met for the first time."""
        role = "param" if isinstance(real, nn.Parameter) else "constant"
        name = in_a_line(self._weight_names.get(id(real), "constant").rpartition(".")[2])
        self.weights[id(real)] = self.recording.name(stand_in, name, role, real.requires_grad)
        self.recording.state(stand_in, real)

    def _backward(self, result: object) -> None:
        """The gradients of a loss, or else of the sum of all outputs, for all that is to be learned."""
        loss = getattr(result, "loss", None)
        if isinstance(loss, Tensor) and loss.requires_grad:
            outputs = [loss]
        else:
            outputs = [output for output in tensors_in(result) if output.requires_grad]
        if outputs:
            self.recording.in_backward = True
            backward_pass(outputs)


def prepare_modules(module: nn.Module, evaluating: bool) -> None:
    """Sets what decides how a lent module runs; the lending puts it back."""
    if evaluating:
        module.eval()
    for submodule in module.modules():
        if isinstance(submodule, nn.TransformerEncoder):  # its own way for padded batches asks for data
            submodule.use_nested_tensor = submodule.enable_nested_tensor = False
