"""The optimizer, AdamW or Adam, and the learning rate of every step."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor

from shapeviz.train.recipe import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq")


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of update `step`, 0 for the first: a function of the step alone, with nothing to be resumed.

    η = η_min + (η_max - η_min) (1 + cos(π s / T_max)) / 2 for CosineAnnealingLR, which climbs again behind T_max as
    PyTorch's does (Loshchilov and Hutter 2017, eq. 5); LinearLR and ConstantLR likewise. A warm-up is a LinearLR from
    η_max / (warmup + 1) before it, and the schedule proper ends at T_max all the same.
    """
    warmup = recipe.warmup_steps
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    t_max = recipe.schedule_steps - warmup
    spread = recipe.lr - recipe.min_lr
    match recipe.schedule:
        case "cosine":
            return recipe.min_lr + spread * (1 + cos(pi * (step - warmup) / t_max)) / 2
        case "linear":
            return recipe.lr - spread * min(1.0, (step - warmup) / t_max)
        case _:
            return recipe.lr


def optimizer(recipe: Recipe, matrices: Sequence[Tensor], vectors: Sequence[Tensor]) -> torch.optim.Optimizer:
    """AdamW or Adam, its moments zero and there from the start; vectors are biases and gains."""
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": recipe.weight_decay * recipe.decay_vectors},
    ]
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    fused = matrices[0].device.type in ("cpu", "cuda")
    made = kind(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2), eps=1e-8, fused=fused)
    for weight in (*matrices, *vectors):
        moments = {name: torch.zeros_like(weight, requires_grad=False) for name in MOMENTS}
        made.state[weight] = {"step": torch.zeros((), device=weight.device if fused else "cpu"), **moments}
    return made
