"""The weights of a model that does not fit: every process keeps a part of each, by torch's FSDP2.

Before a layer computes, its weights are gathered from all processes; they are let go after it. Gradients are summed and
cut the same way, and each process updates its own part (Rajbhandari et al. 2020, section 5, "ZeRO stage 3").
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import checkpoint, shards
from shapeviz.train.distributed import World
from shapeviz.train.optimizer import MOMENTS, optimizer
from shapeviz.train.recipe import Recipe
from shapeviz.train.weights import Weights, source


class Sharded(Weights):
    """Rows of every weight in every process, in fp32; layers compute in `dtype`, gradients are summed in fp32.

    `module` may be on the meta device: its weights get their first values one at a time, and no process ever holds the
    whole model. `tail` [3] has the squares of the gradient besides.
    """

    together = True

    def __init__(
        self, module: LanguageModel, recipe: Recipe, dtype: torch.dtype, world: World, device: torch.device
    ) -> None:
        super().__init__(module, recipe)
        self.world, self.written = world, (-1, dict[str, Any]())
        mesh = init_device_mesh(device.type, (world.size,))
        lower = dtype != torch.float32
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32) if lower else None
        for part in (*module.layers, module):
            fully_shard(part, mesh=mesh, mp_policy=policy or MixedPrecisionPolicy())
        module.to_empty(device=device)
        module.fill(partial(source, recipe), self.put)
        self.weights = dict(module.named_parameters())
        self.tail = self.reduced = torch.zeros(3, device=device)
        matrices = [weight for weight in self.weights.values() if weight.dim() >= 2]
        vectors = [weight for weight in self.weights.values() if weight.dim() < 2]
        self.optimizer = optimizer(recipe, matrices, vectors)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """DTensors, whose local part is that of this process."""
        states = {name: self.optimizer.state[weight] for name, weight in self.weights.items()}
        moments = {key: {name: state[key] for name, state in states.items()} for key in MOMENTS}
        return {"model": {name: weight.detach() for name, weight in self.weights.items()}, **moments}

    @torch.no_grad()
    def put(self, tensor: Tensor, value: Tensor) -> None:
        """The rows that are kept here, which are torch.chunk's; every process gives the same value."""
        rows = cast(DTensor, tensor).to_local()
        first = min(self.world.rank * -(-len(value) // self.world.size), len(value))
        rows.copy_(value[first : first + len(rows)])

    def stored(self, folder: Path, step: int) -> dict[str, Any]:
        """The name of a folder, to which every process writes its part, once a step."""
        if self.written[0] != step:
            self.written = step, shards.write(folder, step, self.tensors(), self.world)
        return {"model": {}, "optimizer": {"step": self.steps()[0].cpu()}, checkpoint.PARTS: self.written[1]}

    def full_state_dict(self) -> dict[str, Tensor]:
        """Gathered one after the other; the first process alone keeps them, on its CPU."""
        whole = {}
        for name, weight in self.tensors()["model"].items():
            value = cast(DTensor, weight).full_tensor()
            if self.world.main:
                whole[name] = value.cpu()
        return {name: whole[first] for name, first in self.names.items() if first in whole}

    def _gradients(self) -> list[Tensor]:
        grads = [weight.grad for weight in self.weights.values()]
        return [cast(DTensor, grad).to_local() for grad in grads if grad is not None]

    def collect(self) -> None:
        """The squares of the gradient, which are summed over the processes with the loss."""
        self.tail[2] = torch.stack(
            [torch.zeros_like(self.tail[2]), *(gradient.square().sum() for gradient in self._gradients())]
        ).sum()

    def clip_grad_norm(self) -> Tensor:
        """The norm is that of all parts."""
        norm = self.tail[2].sqrt()
        if self.clip:
            scale = (self.clip / (norm + 1e-6)).clamp(max=1.0)
            for grad in self._gradients():
                grad.mul_(scale)
        return norm

    def renew(self) -> None:
        """Nothing: the module gathers the weights themselves."""

    def zero_grad(self) -> None:
        """Gradients and tail."""
        for weight in self.weights.values():
            weight.grad = None
        self.tail.zero_()

    def held(self) -> tuple[int, int, int]:
        """The parts of this process."""
        weights = sum(cast(DTensor, weight).to_local().nbytes for weight in self.weights.values())
        states = sum(
            value.to_local().nbytes if isinstance(value, DTensor) else value.nbytes for value in self.moments()
        )
        return weights, sum(grad.nbytes for grad in self._gradients()) + self.tail.nbytes, states
