"""Normalisation over the last axis."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.sublayer import Norm
from shapeviz.lang import Variable, apply, block, param, restate


@dataclass(frozen=True)
class LayerNorm(Norm):
    """LayerNorm with a learned `scale` γ and a learned `shift` β [d], or without."""

    scale: bool = True
    shift: bool = True

    @block(kind="layer_norm", role="norm", title="LayerNorm", step=True, term="LayerNorm({x})")
    def __call__(self, x: Variable) -> Variable:
        """LayerNorm(x) = γ ⊙ (x - μ) / √(σ² + ε) + β      (Ba et al. 2016, section 3.1)

        x [… d] → [… d].
        """
        if not (self.scale and self.shift):
            restate(
                "LayerNorm(x) = " + "γ ⊙ " * self.scale + "(x - μ) / √(σ² + ε)" + " + β" * self.shift,
                "Ba et al. 2016, section 3.1, " + " and ".join(_without(self)),
            )
        weights = [param(name, x.axes[-1]) for name, used in (("γ", self.scale), ("β", self.shift)) if used]
        return apply("normalise", "zero mean, unit variance", x, *weights)


def _without(norm: LayerNorm) -> list[str]:
    return ["without γ"] * (not norm.scale) + ["without β"] * (not norm.shift)


class HeadsLayerNorm(Norm):
    """LayerNorm of every head by itself, with a scale of its own for each: γ [h d_k], for grouped heads [g h/g d_k]."""

    @block(kind="heads_layer_norm", role="norm", title="LayerNorm", step=True, term="LayerNorm({x})")
    def __call__(self, x: Variable) -> Variable:
        """LayerNorm(x_i) = γ_i ⊙ (x_i - μ_i) / √(σ_i² + ε)

        Heads x [B h S d_k] → the same.
        """
        _, *heads, _, d_k = x.axes
        return apply("normalise", "zero mean, unit variance in every head", x, param("γ", *heads, d_k))


class RMSNorm(Norm):
    """Normalisation by the root mean square, with a learned scale γ [d]."""

    @block(kind="rms_norm", role="norm", title="RMSNorm", step=True, term="RMSNorm({x})")
    def __call__(self, x: Variable) -> Variable:
        """RMSNorm(x) = γ ⊙ x / √(mean(x²) + ε)      (Zhang & Sennrich 2019, eq. 4)

        x [… d] → [… d].
        """
        return apply("normalise", "unit root mean square", x, param("γ", x.axes[-1]))


layer_norm, heads_layer_norm, rms_norm = LayerNorm(), HeadsLayerNorm(), RMSNorm()
