"""The optimizer's side of a run: all weights in one flat fp32 tensor, AdamW or Adam on it, clipping, the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi, prod
from typing import Any

import torch
from torch import Tensor, nn

from shapeviz.train.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of update `step`, 0 for the first: a function of the step alone, with nothing to be resumed.

    η = η_min + (η_max - η_min) (1 + cos(π s / T_max)) / 2 for CosineAnnealingLR, which climbs again behind T_max as
    PyTorch's does (Loshchilov and Hutter 2017, eq. 5); LinearLR and ConstantLR likewise. A warm-up is a LinearLR from
    η_max / (w + 1) before it, and the schedule proper ends at T_max all the same.
    """
    w = recipe.warmup
    if step < w:
        return recipe.lr * (step + 1) / (w + 1)
    t_max = (recipe.t_max or recipe.steps) - w
    spread = recipe.lr - recipe.min_lr
    match recipe.schedule:
        case "cosine":
            return recipe.min_lr + spread * (1 + cos(pi * (step - w) / t_max)) / 2
        case "linear":
            return recipe.lr - spread * min(1.0, (step - w) / t_max)
        case _:
            return recipe.lr


class Master:
    """The weights of a module as views of one flat tensor, and the optimizer that works on the whole of it.

    `flat` [P] is fp32 and the truth; with bfloat16 the module sees a copy of it, `shadow`, renewed after every update.
    `gradient` [P] is fp32; `tail` [2] lies behind it, so that two more numbers travel in the same all-reduce. Matrices
    come first: they are decayed, vectors (biases, gains) are not.
    """

    def __init__(self, module: nn.Module, recipe: Recipe, dtype: torch.dtype = torch.float32) -> None:
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        named.sort(key=lambda pair: pair[1].dim() < 2)  # a stable sort
        self.shapes = {name: tuple(p.shape) for name, p in named}
        first = {id(p): name for name, p in named}
        self.names = {
            name: first[id(p)] for name, p in module.named_parameters(remove_duplicate=False) if id(p) in first
        }
        self.clip = recipe.clip
        count, device = sum(p.numel() for _, p in named), named[0][1].device
        self.matrices = sum(p.numel() for _, p in named if p.dim() >= 2)
        self.flat = torch.cat([p.detach().float().reshape(-1) for _, p in named])
        self.reduced = torch.zeros(count + 2, device=device)
        self.gradient, self.tail = self.reduced[:count], self.reduced[count:]
        lower = dtype != torch.float32
        self.shadow = self.flat.to(dtype) if lower else self.flat
        self.shadow_gradient = torch.zeros_like(self.shadow) if lower else self.gradient
        views, gradients = self.views(self.shadow), self.views(self.shadow_gradient)
        for name, p in named:
            p.data, p.grad = views[name], gradients[name]
        self.optimizer = _optimizer(recipe, self._groups())

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """A flat tensor [P] as the tensors of the parameters, by their names; no copies."""
        parts = torch.split(flat, [prod(shape) for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def _groups(self) -> tuple[Tensor, Tensor]:
        parts = []
        for part in (slice(0, self.matrices), slice(self.matrices, None)):
            parameter = nn.Parameter(self.flat[part])
            parameter.grad = self.gradient[part]
            parts.append(parameter)
        return parts[0], parts[1]

    def collect(self) -> Tensor:
        """After the backward passes: the gradient in fp32 [P], ready to be summed over the processes."""
        if self.shadow_gradient is not self.gradient:
            self.gradient.copy_(self.shadow_gradient)
        return self.gradient

    def clipped(self) -> Tensor:
        """Scales the gradient to a norm of at most `clip` (0: none), as clip_grad_norm_ does; gives the norm."""
        norm: Tensor = torch.linalg.vector_norm(self.gradient)
        if self.clip:
            self.gradient.mul_((self.clip / (norm + 1e-6)).clamp(max=1.0))
        return norm

    @torch.no_grad()
    def update(self, lr: float) -> None:
        """One step of the optimizer with this learning rate; gradients are zero afterwards."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        if self.shadow is not self.flat:
            self.shadow.copy_(self.flat)
            self.shadow_gradient.zero_()
        self.reduced.zero_()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: the fp32 weights by name, the optimizer's moments."""
        views = self.views(self.flat)
        model = {name: views[first] for name, first in self.names.items()}  # tied weights by all their names
        return {"model": model, "optimizer": self.optimizer.state_dict()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave. Raises ValueError, KeyError, RuntimeError or TypeError for another model's."""
        saved = state["model"]
        if {name: tuple(value.shape) for name, value in saved.items()} != self._named_shapes():
            raise ValueError("the weights are those of another model")
        for name, view in self.views(self.flat).items():
            view.copy_(saved[name])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.shadow is not self.flat:
            self.shadow.copy_(self.flat)

    def _named_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: self.shapes[first] for name, first in self.names.items()}

    def moments(self) -> list[Tensor]:
        """The optimizer's tensors, in a fixed order: the first moments, the second, and the counts of steps."""
        states = [self.optimizer.state[group["params"][0]] for group in self.optimizer.param_groups]
        return [state[name] for name in ("exp_avg", "exp_avg_sq", "step") for state in states if name in state]


def _optimizer(recipe: Recipe, parts: tuple[Tensor, Tensor]) -> torch.optim.Optimizer:
    matrices, vectors = parts
    groups = [{"params": [matrices], "weight_decay": recipe.weight_decay}, {"params": [vectors], "weight_decay": 0.0}]
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    fused = matrices.device.type in ("cpu", "cuda")
    return kind(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2), eps=1e-8, fused=fused)
