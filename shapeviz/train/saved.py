"""The bytes that a step saves for its backward pass, as a formula: our own trace of module and loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shapeviz.expr import Expr
from shapeviz.nets.language_model import LanguageModel
from shapeviz.report import measure
from shapeviz.tracing import trace
from shapeviz.train import hardware
from shapeviz.train.evaluation import loss_of
from shapeviz.train.hardware import Hardware
from shapeviz.train.recipe import Recipe


class Loss(nn.Module):
    """What a step computes forward: token ids and targets [B S] → mean cross-entropy in fp32."""

    def __init__(self, module: LanguageModel) -> None:
        super().__init__()
        self.module, self.config = module, module.config

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        return loss_of(self.module, ids, targets)


def saved(recipe: Recipe, vocab_size: int, chosen: Hardware, rows: int) -> tuple[Expr, str]:
    """Bytes of a batch of so many rows: the formula over B and S, and a note.

    Raises TraceError if the module cannot be traced.
    """
    with torch.device("meta"):
        module = LanguageModel(recipe.model(vocab_size)).train()
    hardware.spelled(module, chosen)
    for weight in module.parameters():
        weight.data = weight.data.to(chosen.dtype)
    # axes of length 1 are no variables: tensors with one need fewer copies
    sizes = {"B": rows, "S": recipe.block_size}
    ids = "int64[" + ",".join(name if size > 1 else "1" for name, size in sizes.items()) + "]"
    formula = measure(trace(Loss(module), ids, ids, saved=True), ["saved"]).total["saved"].expression
    if chosen.device.type != "cpu":
        return formula, ""
    more, note = _on_cpus(module, chosen.dtype.itemsize)
    return formula + more, note


def _on_cpus(module: LanguageModel, itemsize: int) -> tuple[Expr, str]:
    """What PyTorch's CPU kernels keep besides, which a trace does not: it counts as GPUs keep."""
    B, S = Expr.symbol("B"), Expr.symbol("S")
    config = module.config
    D, H, N = config.hidden_size, config.num_attention_heads, config.num_hidden_layers
    if config.dropout:
        elements = B * S * D * (1 + 2 * N) + B * S**2 * H * N
        return (itemsize - 1) * elements, "dropout's masks are numbers on CPUs"
    return Expr(), ""
