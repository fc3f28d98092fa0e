"""Where a token stands: sinusoidal, learned and rotary positions."""

from __future__ import annotations

from shapeviz.expr import ExprLike
from shapeviz.lang import Variable, apply, block, constant, lookup, param


@block(role="embedding", title="Sinusoidal positions", step=True)
def sinusoidal(x: Variable) -> Variable:
    """x + PE,  PE(pos, 2i) = sin(pos / 10000^(2i/d_model)),  PE(pos, 2i + 1) = cos(…)
    (Vaswani et al. 2017, section 3.5)

    x [B S d_model] → the same; a fixed table, no parameter.
    """
    return x + constant("PE", *x.shape[-2:])


@block(role="embedding", title="Learned positions", caption="{length} × {x}", step=True)
def learned(x: Variable, length: ExprLike) -> Variable:
    """x + W_P[0 … S - 1]      (Gehring et al. 2017, section 3.1)

    x [B S d_model] → the same; W_P [P d_model] for sequences of up to P tokens.
    """
    positions = constant("positions", x.shape[-2])
    return x + lookup(param("W_P", length, x.shape[-1]), positions)


@block(role="embedding", title="Rotary positions", step=True)
def rotary(x: Variable) -> Variable:
    """RoPE(x, m) = R_m x:  each pair of features turned by m·θ_i      (Su et al. 2021, section 3.2.2)

    Queries or keys [B h S d_k] → the same; no parameter. Needs an even d_k.
    """
    return apply("rotate", "each pair of features turned by m·θ_i", x)
