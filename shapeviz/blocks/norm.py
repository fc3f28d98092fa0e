"""Normalisation over the last axis."""

from __future__ import annotations

from shapeviz.lang import Variable, apply, block, param, restate


@block(role="norm", title="LayerNorm", step=True)
def layer_norm(x: Variable, scale: bool = True, shift: bool = True) -> Variable:
    """LayerNorm(x) = γ ⊙ (x - μ) / √(σ² + ε) + β      (Ba et al. 2016, section 3.1)

    x [… d] → [… d]; γ, β [d], left out where there is no `scale` or no `shift`.
    """
    if not (scale and shift):
        restate("LayerNorm(x) = " + "γ ⊙ " * scale + "(x - μ) / √(σ² + ε)" + " + β" * shift)
    weights = [param(name, x.axes[-1]) for name, used in (("γ", scale), ("β", shift)) if used]
    return apply("normalise", "zero mean, unit variance", x, *weights)


@block(role="norm", title="LayerNorm", step=True)
def heads_layer_norm(x: Variable) -> Variable:
    """LayerNorm(x_i) = γ_i ⊙ (x_i - μ_i) / √(σ_i² + ε)

    Heads x [B h S d_k] → the same, each with a scale of its own: γ [h d_k], for grouped heads [g h/g d_k].
    """
    _, *heads, _, d_k = x.axes
    return apply("normalise", "zero mean, unit variance in every head", x, param("γ", *heads, d_k))


@block(role="norm", title="RMSNorm", step=True)
def rms_norm(x: Variable) -> Variable:
    """RMSNorm(x) = γ ⊙ x / √(mean(x²) + ε)      (Zhang & Sennrich 2019, eq. 4)

    x [… d] → [… d]; γ [d].
    """
    return apply("normalise", "unit root mean square", x, param("γ", x.axes[-1]))
