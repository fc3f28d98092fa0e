"""The optimizer, AdamW or Adam, and the learning rate of every step."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from shapeviz.train.recipe import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq")
EPS = 1e-8


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of update `step`, 0 for the first: a function of the step alone, with nothing to be resumed.

    η = η_min + (η_max - η_min) (1 + cos(π s / T_max)) / 2 for CosineAnnealingLR, which climbs again behind T_max as
    PyTorch's does (Loshchilov and Hutter 2017, eq. 5), unless the recipe has it hold; LinearLR and ConstantLR likewise.
    A warm-up is a LinearLR from η_max / (warmup + 1) before it, and the schedule proper ends at T_max all the same.
    """
    warmup = recipe.warmup_steps
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    step = min(step, recipe.schedule_steps) if recipe.hold else step
    t_max = recipe.schedule_steps - warmup
    spread = recipe.lr - recipe.min_lr
    match recipe.schedule:
        case "cosine":
            return recipe.min_lr + spread * (1 + cos(pi * (step - warmup) / t_max)) / 2
        case "linear":
            return recipe.lr - spread * min(1.0, (step - warmup) / t_max)
        case _:
            return recipe.lr


class Adam:
    """AdamW or Adam by PyTorch's function, with its classes' `param_groups`, `state` and `step`.

    The classes themselves load PyTorch's compiler, for as long as torch itself takes, though nothing here is compiled.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, recipe: Recipe) -> None:
        settings = {"lr": lr, "betas": (recipe.beta1, recipe.beta2), "eps": EPS, "amsgrad": False}
        self.param_groups: list[dict[str, Any]] = [{**settings, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.kind = adamw if recipe.optimizer == "adamw" else adam

    @torch.no_grad()
    def step(self) -> None:
        """One update of every weight that has a gradient."""
        for group in self.param_groups:
            pairs = [(weight, weight.grad) for weight in group["params"] if weight.grad is not None]
            first, second, steps = ([self.state[weight][name] for weight, _ in pairs] for name in (*MOMENTS, "step"))
            self.kind(
                [weight for weight, _ in pairs], [gradient for _, gradient in pairs], first, second, [], steps,
                fused=True, amsgrad=group["amsgrad"], beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"],
                weight_decay=group["weight_decay"], eps=group["eps"], maximize=False,
            )  # fmt: skip


def optimizer(recipe: Recipe, matrices: Sequence[Tensor], vectors: Sequence[Tensor]) -> Adam | torch.optim.Optimizer:
    """AdamW or Adam, its moments zero and there from the start; vectors are biases and gains."""
    groups = [
        {"params": list(matrices), "weight_decay": recipe.weight_decay},
        {"params": list(vectors), "weight_decay": recipe.weight_decay * recipe.decay_vectors},
    ]
    fused = matrices[0].device.type in ("cpu", "cuda")
    made: Adam | torch.optim.Optimizer
    if fused and recipe.parallel != "fsdp":
        made = Adam(groups, recipe.lr, recipe)
    else:
        kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        made = kind(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2), eps=EPS, fused=fused)
    for weight in (*matrices, *vectors):
        moments = {name: torch.zeros_like(weight, requires_grad=False) for name in MOMENTS}
        made.state[weight] = {"step": torch.zeros((), device=weight.device if fused else "cpu"), **moments}
    return made
