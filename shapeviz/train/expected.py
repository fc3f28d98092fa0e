"""What a run costs, by the columns that are measured of its configuration, combined with letters of the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from shapeviz.expr import Expr, ExprLike, ceil, total
from shapeviz.frontends import read
from shapeviz.quantity import Quantity
from shapeviz.report import Report, measure
from shapeviz.train.recipe import Recipe

if TYPE_CHECKING:
    import torch

LEGEND = {
    "A": "batches of a step", "W": "processes", "params": "parameters", "b_w": "bytes of a parameter, copies included",
    "b_g": "bytes of its gradient, copies included", "b_o": "bytes of its optimizer states",
}  # fmt: skip
A, W, params, b_w, b_g, b_o = map(Expr.symbol, LEGEND)
FP32 = 4
MOMENTS = 2 * FP32
"""Two moments a parameter (Kingma & Ba 2015)."""


@dataclass(frozen=True)
class Expected:
    """The costs of a run in one process, over the sizes of its configuration and the letters of LEGEND.

    report: parameters and FLOPs of a forward pass, at the batch [B S] of the process. copy: bytes of the copy of every
    weight and gradient in the module's own precision, 0 if there is none.
    """

    report: Report
    batches: int = 1
    processes: int = 1
    copy: int = 0

    @cached_property
    def column(self) -> dict[str, Expr]:
        """The totals of the report."""
        return {name: cost.expression for name, cost in self.report.total.items()}

    def quantity(self, formula: ExprLike) -> Quantity:
        """A formula over these letters, with their numbers."""
        letters = {"A": self.batches, "W": self.processes, "b_w": FP32 + self.copy, "b_g": FP32 + self.copy}
        sizes = self.report.sizes
        values = {**sizes.values, **letters, "b_o": MOMENTS}
        rules = {**sizes.rules, "params": self.column["params"]}
        return Quantity(Expr.of(formula), replace(sizes, values=values, rules=rules, order=()))

    @property
    def parameters(self) -> Quantity:
        """Elements of all weights, tied ones once."""
        return self.quantity(self.column["params"])

    @property
    def flops(self) -> Quantity:
        """FLOPs of a step. A product with a weight has two products as large in its backward pass, one for either
        factor, and so have both products of attention: hence 3 times the forward pass.
        """
        return self.quantity(3 * A * self.column["flops"])

    @property
    def least_memory(self) -> Quantity:
        """Bytes that a step needs at least: all that a parameter has, in equal parts, and what every layer keeps of its
        input [B S d_model], in 2 bytes an element.
        """
        B, S, N, d_model = map(Expr.symbol, ("B", "S", "N", "d_model"))
        return self.quantity(ceil((b_w + b_g + b_o) * params / W) + 2 * B * S * N * d_model)


def expected(
    recipe: Recipe, vocab_size: int, rows: int, processes: int = 1, dtype: torch.dtype | None = None
) -> Expected:
    """What a run of this recipe costs.

    rows: sequences of a batch in a process. processes: over how many the weights are spread. dtype: the module's own,
    None for fp32.
    """
    model = read(recipe.model(vocab_size), sizes={"B": rows, "S": recipe.block_size})
    report = measure(model, ["params", "flops"])
    copy = 0 if dtype is None or dtype.itemsize >= FP32 else dtype.itemsize
    return Expected(report, recipe.accumulate, processes, copy)


def part(weights: Iterable[torch.Tensor]) -> Expr:
    """Elements in the first of W processes that share the rows of every weight: ⌈rows/W⌉ of them, whole in one.

    >>> import torch
    >>> print(part([torch.empty(65, 16), torch.empty(3)]))
    ⌈3/W⌉ + 16·⌈65/W⌉
    """
    return total(ceil(Expr.of(len(weight)) / W) * weight[0].numel() for weight in weights)
