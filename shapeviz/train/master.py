"""All weights of a model in one flat fp32 tensor: one norm, two calls of the optimizer, one all-reduce."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from shapeviz.train.optimizer import MOMENTS, optimizer
from shapeviz.train.recipe import Recipe
from shapeviz.train.weights import Weights


class Master(Weights):
    """The weights of a module as views of one flat tensor, and the optimizer that works on the whole of it.

    `flat` [P] is fp32 and the truth; with bfloat16 the module sees a copy of it, `shadow`, renewed after every update.
    `gradient` [P] is fp32; `tail` [2] lies behind it, so that two more numbers travel in the same all-reduce. Matrices
    come first: they are decayed, vectors are not.
    """

    def __init__(self, module: nn.Module, recipe: Recipe, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(module, recipe)
        named = sorted(module.named_parameters(), key=lambda pair: pair[1].dim() < 2)  # a stable sort
        self.shapes = {name: self.shapes[name] for name, _ in named}
        count, device = sum(weight.numel() for _, weight in named), named[0][1].device
        self.matrices = sum(weight.numel() for _, weight in named if weight.dim() >= 2)
        self.flat = torch.cat([weight.detach().float().reshape(-1) for _, weight in named])
        self.reduced = torch.zeros(count + 2, device=device)
        self.gradient, self.tail = self.reduced[:count], self.reduced[count:]
        lower = dtype != torch.float32
        self.shadow = self.flat.to(dtype) if lower else self.flat
        self.shadow_gradient = torch.zeros_like(self.shadow) if lower else self.gradient
        views, gradients = self.views(self.shadow), self.views(self.shadow_gradient)
        for name, weight in named:
            weight.data, weight.grad = views[name], gradients[name]
        matrices, vectors = self._part(slice(0, self.matrices)), self._part(slice(self.matrices, None))
        self.optimizer = optimizer(recipe, [matrices], [vectors])

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """A flat tensor [P] as the tensors of the parameters, by their names; no copies."""
        parts = torch.split(flat, [prod(shape) for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def _part(self, part: slice) -> nn.Parameter:
        parameter = nn.Parameter(self.flat[part])
        parameter.grad = self.gradient[part]
        return parameter

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Views of `flat`; the moments of matrices and vectors as the tensors of the parameters."""
        tensors, held = {"model": self.views(self.flat)}, list(self.optimizer.state.values())
        for name in MOMENTS:
            parts: dict[str, Tensor] = {}
            for state, matrices in zip(held, (True, False), strict=True):
                own = {key: shape for key, shape in self.shapes.items() if (len(shape) >= 2) == matrices}
                pieces = torch.split(state[name], [prod(shape) for shape in own.values()])
                parts |= {key: piece.view(own[key]) for key, piece in zip(own, pieces, strict=True)}
            tensors[name] = parts
        return tensors

    def put(self, tensor: Tensor, value: Tensor) -> None:
        """All of it."""
        tensor.copy_(value)

    def collect(self) -> None:
        """Added up in fp32."""
        if self.shadow_gradient is not self.gradient:
            self.gradient.add_(self.shadow_gradient)
            self.shadow_gradient.zero_()

    def clip_grad_norm(self) -> Tensor:
        """One norm of one tensor."""
        norm: Tensor = torch.linalg.vector_norm(self.gradient)
        if self.clip:
            self.gradient.mul_((self.clip / (norm + 1e-6)).clamp(max=1.0))
        return norm

    @torch.no_grad()
    def renew(self) -> None:
        """The shadow anew, if there is one."""
        if self.shadow is not self.flat:
            self.shadow.copy_(self.flat)

    def zero_grad(self) -> None:
        """Gradients and tail."""
        if self.shadow_gradient is not self.gradient:
            self.shadow_gradient.zero_()
        self.reduced.zero_()

    def held(self) -> tuple[int, int, int]:
        """Flat tensor and shadow, the same of gradients, the moments."""
        copies = [self.shadow.nbytes, self.shadow_gradient.nbytes] if self.shadow is not self.flat else [0, 0]
        states = sum(value.nbytes for value in self.moments())
        return self.flat.nbytes + copies[0], self.reduced.nbytes + copies[1], states
