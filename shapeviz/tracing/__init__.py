"""Tracing: a PyTorch module run once on tensors without data, its named dimensions kept, into the tree of a Model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shapeviz.errors import InputError, requiring
from shapeviz.ir import Model

if TYPE_CHECKING:
    from torch import nn

__all__ = ["trace"]
LARGEST = 2**63 - 1  # torch's sizes have 64 bits


def trace(
    module: nn.Module,
    *inputs: Any,
    sizes: Mapping[str, int] | None = None,
    names: Mapping[str, int] | None = None,
    training: bool = False,
    saved: bool = False,
    input_grad: bool = False,
    fold: bool = True,
    run: bool = True,
    name: str = "",
    source: str = "",
    forward: Mapping[str, Any] | None = None,
    **by_name: Any,
) -> Model:
    """The symbolic model of any `torch.nn.Module`: its shapes, parameters and costs in the dimensions that you name.

    Inputs are forward's arguments, by position or by name: `ids="int64[B,S]"`, tuples, lists and dicts of such texts,
    or any other value as it is; `forward={…}` takes those whose names are options here. Nothing is computed, and the
    module is left as it was.

    sizes: numbers for the dimensions, `{"B": 32}`; without them usual ones are assumed.
    names: numbers of the module to be written by name, `{"d_model": 512}`.
    training: the backward pass is traced as well, and its FLOPs are counted.
    saved: the bytes that are saved for the backward pass are counted.
    input_grad: the inputs require gradients too, as within a larger model.
    fold: layers that are alike are traced once and counted × N.
    run: if false, a module whose forward needs inputs and gets none is not run; its parameters alone are counted.

    Raises InputError for inputs that do not fit or a forward that fails, SizeError for impossible sizes, TraceError
    (with the tree so far in `.model`) for shapes that disagree or a dimension that the module takes for a number.

    >>> import shapeviz, torch
    >>> report = shapeviz.measure(shapeviz.trace(torch.nn.Linear(512, 64), "float32[B,S,512]"))
    >>> print(report.total["flops"])
    65536·B·S
    """
    with requiring("tracing", "torch"):
        from torch import nn
    from shapeviz.tracing.job import Job
    from shapeviz.tracing.load import kind

    if not isinstance(module, nn.Module):
        raise InputError(f"a torch.nn.Module is traced, not {kind(module)}")
    job = Job(
        module,
        inputs,
        {**by_name, **(forward or {})},
        dict(sizes or {}),
        dict(names or {}),
        training=training,
        saves=saved or training,
        input_grad=input_grad,
        fold=fold,
        unrun=not run,
    )
    return job.model(name or type(module).__name__, source or type(module).__name__)
