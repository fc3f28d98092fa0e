"""Normalisation over the last axis."""

from __future__ import annotations

from shapeviz.lang import Variable, apply, block, param


@block(role="norm", title="LayerNorm", step=True)
def layer_norm(x: Variable) -> Variable:
    """LayerNorm(x) = γ ⊙ (x - μ) / √(σ² + ε) + β      (Ba et al. 2016, section 3.1)

    x [… d] → [… d]; γ, β [d].
    """
    return apply("normalise", "zero mean, unit variance", x, param("γ", x.shape[-1]), param("β", x.shape[-1]))


@block(role="norm", title="RMSNorm", step=True)
def rms_norm(x: Variable) -> Variable:
    """RMSNorm(x) = γ ⊙ x / √(mean(x²) + ε)      (Zhang & Sennrich 2019, eq. 4)

    x [… d] → [… d]; γ [d].
    """
    return apply("normalise", "unit root mean square", x, param("γ", x.shape[-1]))
