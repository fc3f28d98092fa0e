"""torchinfo and fvcore: what they count, and the rules by which they are known to differ, in closed form.

A deviation counts as explained only if the peer's number equals its rule applied to shapes that hooks have seen and to
the modules' own parameters; no formula of the symbolic side enters.

* torchinfo 1.8.0 gives every leaf module (first axis of its output) × (elements of its weight and bias): the sequence
  axis and all products without weights are left out (layer_info.py, calculate_macs; torchinfo issue 77). It adds up the
  parameters of leaf modules, so a tied table counts once per use (issues 322 and 358).
* fvcore 0.1.5 counts multiply-adds, and 5 for every element that an affine LayerNorm reads (4 otherwise;
  jit_handles.py, norm_flop_counter). RMSNorm is unknown to it and costs nothing.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from math import prod

from torch import Tensor, nn

from shapeviz.verify.forward_pass import Run, leaves
from shapeviz.verify.steps import Product

RULES = {
    ("torchinfo", "params"): "counts a tied table once per use",
    (
        "torchinfo",
        "flops",
    ): "2 × mult-adds; multiplies weights and biases by the batch alone, without the sequence axis, "
    "and leaves out the products of attention",
    ("fvcore", "flops"): "2 × multiply-adds; adds 5 for every element that a LayerNorm reads",
}


@dataclass(frozen=True)
class Count:
    """What a peer reports, and what its known rule predicts that it reports. FLOPs are twice its multiply-adds."""

    reported: int
    rule: int

    def __add__(self, other: Count) -> Count:
        return Count(self.reported + other.reported, self.rule + other.rule)

    def __sub__(self, other: Count) -> Count:
        return self + other * -1

    def __mul__(self, times: int) -> Count:
        return Count(self.reported * times, self.rule * times)


Counts = Mapping[tuple[str, str], Count]


def torchinfo_counts(module: nn.Module, inputs: tuple[Tensor, ...], run: Run[int]) -> Counts:
    """Parameters and twice the mult-adds of `torchinfo.summary`."""
    from torchinfo import summary

    with silence():
        result = summary(module, input_data=list(inputs), device="meta", verbose=0)
    held = {path: dict(leaf.named_parameters()) for path, leaf in leaves(module)}
    used = sum(weight.numel() for weights in held.values() for weight in weights.values())
    multiplied = sum(
        run.outputs[path][0] * sum(weights[name].numel() for name in ("weight", "bias") if name in weights)
        for path, weights in held.items()
        if path in run.outputs
    )
    return {
        ("torchinfo", "params"): Count(result.total_params, used),
        ("torchinfo", "flops"): Count(2 * result.total_mult_adds, 2 * multiplied),
    }


def fvcore_counts(module: nn.Module, inputs: tuple[Tensor, ...], run: Run[int]) -> Counts:
    """Parameters of `fvcore.nn.parameter_count` and twice the count of `FlopCountAnalysis`."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    with silence():
        analysis = FlopCountAnalysis(module, inputs).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        flops = 2 * int(analysis.tracer_warnings("none").total())
        params = int(parameter_count(module)[""])
    unique = sum(weight.numel() for weight in module.parameters())
    predicted = sum(_fvcore_rule(leaf, run.inputs[path]) for path, leaf in leaves(module) if path in run.inputs)
    return {("fvcore", "params"): Count(params, unique), ("fvcore", "flops"): Count(flops, 2 * predicted)}


def installed(peer: str) -> str:
    """`torchinfo 1.8.0`."""
    return f"{peer} {version(peer)}"


@contextmanager
def silence() -> Iterator[None]:
    """No warning, no print and no log line of a peer reaches the reader."""
    quiet = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(quiet)


def _fvcore_rule(leaf: nn.Module, inputs: tuple[tuple[int, ...], ...]) -> int:
    """The multiply-adds that fvcore gives a leaf module with these inputs."""
    match leaf:
        case nn.Linear():
            return prod(inputs[0]) * leaf.out_features
        case Product():
            left, right = inputs
            return prod(left) * right[-2 if leaf.transposed else -1]
        case nn.LayerNorm():
            return prod(inputs[0]) * (5 if leaf.elementwise_affine else 4)
    return 0
