"""The parts of torch without a promise to stay that a trace is built on, gathered here: what each is needed for.

Tested with torch 2.13.0. Another version may lack one of them or mean something else by it: the tests of tracing tell.
A version that lacks one is refused here, with its name, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from shapeviz.errors import MissingToolError

TESTED = "2.13.0"

try:
    # Our own stand-ins and bookkeeping call functions of torch, which must not become steps of the trace.
    from torch._C import DisableTorchFunction

    # Every node of the backward pass has a number that grows: it tells which operation of the forward pass made it.
    from torch._C import _current_autograd_node as current_node
    from torch._C._autograd import _get_sequence_nr as sequence_number

    # Within vmap and grad a tensor is a wrapper for a short time: it has no storage that could be saved.
    from torch._C._functorch import is_functorch_wrapped_tensor

    # Without it a composite operation with symbolic sizes runs in C++, which takes them for numbers.
    from torch._dispatch.python import enable_python_dispatcher

    # A symbol must say where it comes from; ours come from a name that the user wrote.
    from torch._dynamo.source import ConstantSource

    # What torch calls an operation once its kernel is chosen: its name, and whether its result is a view.
    from torch._ops import OpOverload

    # Tensors that have a shape, a dtype and a device and no data: the module runs on these.
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

    # Sizes that stay letters, what a symbolic size holds, and the guards that torch keeps for them.
    from torch.fx.experimental.sym_node import SymNode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, GuardOnDataDependentSymNode, ShapeEnv

    # What all convolutions have in common, for their captions.
    from torch.nn.modules.conv import _ConvNd as Convolution

    # A lazy module has no sizes before its first call; it is refused by name.
    from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

    # Every operation that torch comes to passes through a dispatch mode, also in the backward pass.
    from torch.utils._python_dispatch import TorchDispatchMode

    # A stand-in is made outside of all modes, else making it would be recorded as a step of the module.
    from torch.utils._python_dispatch import _disable_current_modes as without_modes

    # Results of a forward pass nest: tuples, dicts, and the outputs that transformers registers there.
    from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

    # What a condition on sizes can come to within bounds.
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

    # The engine itself: torch.autograd.backward would hide from our modes what checkpointing computes anew.
    run_backward = torch.autograd.Variable._execution_engine.run_backward
except (ImportError, AttributeError) as error:
    raise MissingToolError(
        f"torch {torch.__version__} lacks a part that tracing needs: {error}; torch {TESTED} has it"
    ) from error

__all__ = [
    "ConstantSource", "Convolution", "DimDynamic", "DisableTorchFunction", "FakeTensor", "FakeTensorMode",
    "GuardOnDataDependentSymNode", "OpOverload",
    "ShapeEnv", "Size", "SymNode", "SympyExpr", "TorchDispatchMode", "TreeSpec", "UninitializedTensorMixin",
    "ValueRanges", "backward_pass", "bound_sympy", "current_node", "enable_python_dispatcher", "int_oo",
    "is_functorch_wrapped_tensor", "sequence_number", "tree_flatten", "tree_leaves", "tree_unflatten", "without_modes",
]  # fmt: skip

Size: TypeAlias = "int | torch.SymInt"  # one axis of a tensor


class SympyExpr(Protocol):
    """What we read of a size in torch's own algebra, an expression of SymPy."""

    args: tuple[SympyExpr, ...]
    free_symbols: set[SympyExpr]
    is_Integer: bool  # noqa: N815
    is_Symbol: bool  # noqa: N815
    is_integer: bool | None
    is_positive: bool | None
    p: int  # of a rational number p/q
    q: int

    def xreplace(self, values: Mapping[SympyExpr, int] | Mapping[SympyExpr, SympyExpr]) -> SympyExpr: ...
    def __sub__(self, other: SympyExpr) -> SympyExpr: ...
    def __add__(self, other: int) -> SympyExpr: ...
    def __truediv__(self, other: int) -> SympyExpr: ...
    def subs(self, values: Mapping[SympyExpr, int]) -> SympyExpr: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...


def backward_pass(outputs: Sequence[Tensor]) -> None:
    """The gradients of the sum of these tensors, added to `.grad` of all that is to be learned."""
    gradients = tuple(torch.ones_like(output) for output in outputs)
    run_backward(tuple(outputs), gradients, False, False, (), allow_unreachable=True, accumulate_grad=True)
