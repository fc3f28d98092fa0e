"""How the next token is chosen from logits: temperature, the k likeliest, the nucleus of mass p; or the likeliest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from shapeviz.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """p ∝ softmax(logits / temperature), cut to the `top_k` likeliest and to the fewest that have `top_p` of it.

    Temperature 0 always takes the likeliest. `top_p` cuts what `top_k` left (Holtzman et al. 2020, section 3.1).
    Raises InputError for values that cannot be.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"temperature = {self.temperature}: a number of at least 0 is needed; 0 is the likeliest")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top-k = {self.top_k}: a positive integer is needed; leave it out for all tokens")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top-p = {self.top_p}: a number above 0 and at most 1 is needed; 1 is all tokens")

    def scores(self, logits_BV: Tensor) -> Tensor:
        """Logarithms of the probabilities up to a constant, [B V]; -∞ for tokens that are cut off."""
        likeliest_B1 = logits_BV.max(dim=-1, keepdim=True).values
        if not self.temperature:
            return torch.where(logits_BV == likeliest_B1, 0.0, -torch.inf)
        precise_BV = logits_BV if logits_BV.device.type == "mps" else logits_BV.double()  # which has no float64
        scores_BV = (precise_BV - likeliest_B1) / self.temperature
        if self.top_k is not None and self.top_k < scores_BV.shape[-1]:
            kept = scores_BV.topk(self.top_k)
            scores_BV = torch.full_like(scores_BV, -torch.inf).scatter(-1, kept.indices, kept.values)
        if self.top_p is not None and self.top_p < 1:
            ordered = scores_BV.sort(dim=-1, descending=True, stable=True)
            probs_BV = ordered.values.softmax(dim=-1)
            beyond_BV = probs_BV.cumsum(dim=-1) - probs_BV >= self.top_p
            scores_BV = scores_BV.masked_fill(beyond_BV.gather(-1, ordered.indices.argsort(dim=-1)), -torch.inf)
        return scores_BV

    def choose(self, logits_BV: Tensor, generator: torch.Generator) -> Tensor:
        """A token of each row, [B 1], by the Gumbel-max trick: a token's noise is the same whatever is cut off."""
        if not self.temperature:
            return logits_BV.argmax(dim=-1, keepdim=True)
        scores_BV = self.scores(logits_BV)
        noise_BV = torch.empty_like(scores_BV).exponential_(generator=generator)
        return (scores_BV - noise_BV.log()).argmax(dim=-1, keepdim=True)
