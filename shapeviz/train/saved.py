"""The bytes that a step saves for its backward pass, as a formula: our own trace of module and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from shapeviz.expr import Expr
from shapeviz.nets.language_model import LanguageModel
from shapeviz.report import measure
from shapeviz.tracing import trace
from shapeviz.train.evaluation import loss_of

if TYPE_CHECKING:
    from shapeviz.train.session import Session


class Loss(nn.Module):
    """What a step computes forward: token ids and targets [B S] → mean cross-entropy in fp32."""

    def __init__(self, module: LanguageModel) -> None:
        super().__init__()
        self.module, self.config = module, module.config

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        return loss_of(self.module, ids, targets)


def saved(session: Session, rows: int) -> tuple[Expr, str]:
    """Bytes of a batch of so many rows: the formula over B and S, and a note.

    Raises TraceError if the module cannot be traced.
    """
    recipe, hardware = session.recipe, session.hardware
    with torch.device("meta"):
        module = LanguageModel(recipe.model(session.data.tokenizer.vocab_size)).train()
    module.attention = session.module.attention
    for weight in module.parameters():
        weight.data = weight.data.to(hardware.dtype)
    # axes of length 1 are no variables: tensors with one need fewer copies
    sizes = {"B": rows, "S": recipe.block_size}
    ids = "int64[" + ",".join(name if size > 1 else "1" for name, size in sizes.items()) + "]"
    formula = measure(trace(Loss(module), ids, ids, saved=True), ["saved"]).total["saved"].expression
    if hardware.device.type != "cpu":
        return formula, ""
    more, note = _on_cpus(module, hardware.dtype.itemsize)
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
