"""What a module costs at given sizes, found without shapeviz: PyTorch's FlopCounterMode on concrete tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

Sizes = list[int]
Shapes = dict[str, list[tuple[int, ...]]]


def measured(module: nn.Module, inputs: Mapping[str, str], point: Mapping[str, int]) -> tuple[int, int, Shapes]:
    """FLOPs, parameters, and the shapes that every submodule gives in the order of its calls, on the module's device.

    Give it tensors with data for Hugging Face's models: their masks and their experts look at values.
    """
    shapes: Shapes = {}
    with counting(module) as counter, recording(module, shapes):
        module(**example(module, inputs, point))
    return counter.get_total_flops(), parameters(module), shapes


def backward_measured(module: nn.Module, inputs: Mapping[str, str], point: Mapping[str, int]) -> int:
    """FLOPs of a pass forward and back, from the sum of all outputs to all trainable parameters, not to the inputs."""
    with counting(module) as counter:
        outputs = tensors(module(**example(module, inputs, point)))
        loss = torch.stack([output.sum() for output in outputs if output.requires_grad]).sum()
        loss.backward()
    module.zero_grad()
    return counter.get_total_flops()


@contextmanager
def counting(module: nn.Module) -> Iterator[FlopCounterMode]:
    """FlopCounterMode made to see everything: fused kernels, which it counts as nothing, give way to plain ones.

    Attention is `bmm` by the math backend, and an RNN is `mm` without oneDNN. Experts run one by one: each token
    goes to exactly k of them, so that the sum is what the grouped kernel does.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())  # without it nn.TransformerEncoder is one fused kernel
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False, allow_tf32=None))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(plain_experts(module))
        mapping = {torch.ops.aten.convolution_backward: convolution_backward}
        yield stack.enter_context(FlopCounterMode(display=False, custom_mapping=mapping))


def convolution_backward(grad: Sizes, x: Sizes, weight: Sizes, *rest: Any, out_shape: Any, **_: Any) -> int:
    """The gradients of input and of weight cost what the convolution costs, each where it is wanted.

    PyTorch's own formula takes the gradient of a grouped convolution's weight `groups` times.
    """
    transposed, wanted = rest[4], rest[7]
    once = 2 * math.prod(weight) * x[0] * math.prod((x if transposed else grad)[2:])
    return once * sum(wanted[:2])


@contextmanager
def plain_experts(module: nn.Module) -> Iterator[None]:
    """Mixture-of-experts layers of Hugging Face run as a loop over experts, and as before afterwards."""
    choose = getattr(module, "set_experts_implementation", None)
    if not choose or not any(hasattr(part, "num_experts") for part in module.modules()):
        yield
        return
    before = module.get_experts_implementation()
    choose("eager")
    try:
        yield
    finally:
        choose(before)


@contextmanager
def recording(module: nn.Module, shapes: Shapes) -> Iterator[None]:
    """The shape of each submodule's first tensor is noted under its path."""

    def noting(path: str) -> Any:
        def note(_: nn.Module, __: Any, output: Any) -> None:
            shapes.setdefault(path, []).extend(tuple(first.shape) for first in tensors(output)[:1])

        return note

    with ExitStack() as stack:
        for path, part in module.named_modules():
            stack.callback(part.register_forward_hook(noting(path)).remove)
        yield


def example(module: nn.Module, inputs: Mapping[str, str], point: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """Inputs at the point: token 0 everywhere, and for what is no token random numbers."""
    device = next(module.parameters()).device
    return {name: tensor(spec, point, device) for name, spec in inputs.items()}


def tensor(spec: str, point: Mapping[str, int], device: torch.device) -> torch.Tensor:
    """`float32[B,3,16*H,16*W]` at the point."""
    found = re.fullmatch(r"(\w+)\[(.*)\]", spec)
    assert found, spec
    sizes = [math.prod(point.get(n) or int(n) for n in size.split("*")) for size in found[2].split(",")]
    dtype = getattr(torch, found[1])
    if dtype.is_floating_point:
        return torch.rand(sizes, dtype=dtype, device=device)
    return torch.zeros(sizes, dtype=dtype, device=device)


def tensors(output: Any) -> list[torch.Tensor]:
    """All tensors in what a module gives, in order."""
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]


def parameters(module: nn.Module) -> int:
    """Every parameter counted once, however often it is used."""
    return sum(weight.numel() for weight in set(module.parameters()))


def recurrent(rnn: nn.RNNBase, batch: int, length: int) -> int:
    """FLOPs of an LSTM or GRU in closed form.

    2·B·S·G·H·(in + out) for each layer and direction, where G is 4 or 3 gates and `out` is H or the projection's
    width P; and 2·B·S·H·P for the projection. The layers above take in all directions of the one below.
    """
    gates = {"LSTM": 4, "GRU": 3}[rnn.mode]
    hidden, projected = rnn.hidden_size, rnn.proj_size
    out, directions = projected or hidden, 1 + rnn.bidirectional
    widths = [rnn.input_size] + [directions * out] * (rnn.num_layers - 1)
    each = [gates * hidden * (width + out) + hidden * projected for width in widths]
    return 2 * batch * length * directions * sum(each)
