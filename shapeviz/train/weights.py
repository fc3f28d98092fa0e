"""What an optimizer works on: the fp32 weights of a module and their moments, by name, wherever they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shapeviz.train.batches import seed_of
from shapeviz.train.optimizer import MOMENTS, Adam
from shapeviz.train.recipe import Recipe


class Weights(ABC):
    """The weights of a run: Master holds all of them in every process, Sharded a part in each.

    `tail` lies behind the gradients in what processes add up: the loss, whether a stop is asked for, and what else the
    kind needs. `reduced` is what is to be added up, all of it or `tail` alone.
    """

    together = False
    """Whether all processes must take part in every pass through the module."""
    tail: Tensor
    reduced: Tensor
    optimizer: Adam | torch.optim.Optimizer

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        named = list(module.named_parameters())
        first = {id(weight): name for name, weight in named}
        every = module.named_parameters(remove_duplicate=False)
        self.names = {name: first[id(weight)] for name, weight in every}
        self.shapes = {name: tuple(weight.shape) for name, weight in named}
        self.clip = recipe.clip

    @abstractmethod
    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """`model`, `exp_avg` and `exp_avg_sq` by the weights' names: what is written into is kept."""

    @abstractmethod
    def put(self, tensor: Tensor, value: Tensor) -> None:
        """Writes a whole tensor into one of `tensors`, or the part that is kept here."""

    @abstractmethod
    def collect(self) -> None:
        """After every backward pass: the gradient is made ready to be added up and clipped."""

    @abstractmethod
    def clip_grad_norm(self) -> Tensor:
        """Scales the gradient to a norm of at most `clip` (0: none), as clip_grad_norm_ does; gives the norm."""

    @abstractmethod
    def zero_grad(self) -> None:
        """Forgets the gradient."""

    @abstractmethod
    def renew(self) -> None:
        """Shows the module what has become of the weights."""

    @abstractmethod
    def held(self) -> tuple[int, int, int]:
        """Bytes of weights, of gradients and of the optimizer's states in this process, after a backward pass."""

    def update(self, lr: float) -> None:
        """One step of the optimizer with this learning rate; gradients are zero afterwards."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.renew()
        self.zero_grad()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: the fp32 weights by name, tied ones by all their names, and the moments."""
        held = self.tensors()
        model = {name: held["model"][first] for name, first in self.names.items()}
        return {"model": model, "optimizer": {**{name: held[name] for name in MOMENTS}, "step": self.steps()[0].cpu()}}

    def stored(self, folder: Path, step: int) -> dict[str, Any]:
        """What the checkpoint of a step in the run's folder holds: the state, or where its parts were written."""
        return self.state()

    def full_state_dict(self) -> dict[str, Tensor]:
        """The fp32 weights by all their names, each in one piece; all processes must call it if they are `together`."""
        weights: dict[str, Tensor] = self.state()["model"]
        return weights

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave. Raises ValueError, KeyError or TypeError for another model's."""
        saved = {"model": state["model"], **{name: state["optimizer"][name] for name in MOMENTS}}
        for part, names in (("model", self.names), *((name, self.shapes) for name in MOMENTS)):
            if {name: tuple(value.shape) for name, value in saved[part].items()} != self._shapes_of(names):
                raise ValueError("the weights are those of another model")
        for part, tensors in self.tensors().items():
            for name, tensor in tensors.items():
                self.put(tensor, saved[part][name])
        self.restored(state["optimizer"]["step"])

    @torch.no_grad()
    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Begins with these values, by the weights' names; the moments stay zero."""
        for name, tensor in self.tensors()["model"].items():
            self.put(tensor, weights[name])
        self.renew()

    def restored(self, step: Tensor) -> None:
        """After `tensors` were written into: so many steps are done."""
        for count in self.steps():
            count.copy_(step)
        self.renew()

    def steps(self) -> list[Tensor]:
        """The optimizer's counts of steps."""
        return [state["step"] for state in self.optimizer.state.values()]

    def moments(self) -> list[Tensor]:
        """The optimizer's tensors: first moments, second moments, counts of steps."""
        return [state[name] for name in (*MOMENTS, "step") for state in self.optimizer.state.values()]

    def _shapes_of(self, names: Any) -> dict[str, tuple[int, ...]]:
        return {name: self.shapes[self.names[name]] for name in names}


def source(recipe: Recipe, name: str) -> torch.Generator:
    """The random numbers of a weight's first values: a function of the seed and its name alone."""
    return torch.Generator().manual_seed(seed_of(recipe.seed, "weights", name))
