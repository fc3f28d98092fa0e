"""Where a token stands: sinusoidal, learned and rotary positions."""

from __future__ import annotations

from shapeviz.expr import Expr, ExprLike
from shapeviz.lang import Variable, apply, block, constant, lookup, param, reshape


@block(role="embedding", title="Sinusoidal positions", step=True, term="{x} + PE")
def sinusoidal(x: Variable) -> Variable:
    """x + PE,  PE(pos, 2i) = sin(pos / 10000^(2i/d_model)),  PE(pos, 2i + 1) = cos(…)
    (Vaswani et al. 2017, section 3.5)

    x [B S d_model] → the same; a fixed table, no parameter.
    """
    return x + constant("PE", *x.axes[-2:])


@block(role="embedding", title="Learned positions", caption="{length} × {x}", step=True, term="{x} + W_P")
def learned(x: Variable, length: ExprLike) -> Variable:
    """x + W_P[0 … S - 1]      (Gehring et al. 2017, section 3.1)

    x [B S d_model] → the same; W_P [P d_model] for sequences of up to P tokens.
    """
    positions = constant("positions", x.axes[-2], dtype="int64")
    return x + lookup(param("W_P", length, x.axes[-1]), positions)


@block(role="embedding", title="Rotary positions", step=True, term="RoPE({x})")
def rotary(x: Variable) -> Variable:
    """RoPE(x, m) = R_m x:  each pair of features turned by m·θ_i      (Su et al. 2021, section 3.2.2)

    Queries or keys [B h S d_k] → the same; no parameter. Needs an even d_k.
    """
    return apply("rotate", "each pair of features turned by m·θ_i", x)


@block(role="embedding", title="ALiBi", step=True, term="b")
def alibi(x: Variable, *heads: Expr) -> Variable:
    """b[i, j] = m_h·(j - i)      (Press et al. 2022, section 3)

    x [B S d_model] tells the length → [h S S], for grouped heads [g h/g S S]: fixed slopes, no parameter.
    """
    rows = x.axes[-2]
    return reshape("slopes", "m_h·(j - i)", constant("slopes", *heads), *heads, rows, rows, name="shift", copied=True)


@block(role="embedding", title="Token types", caption="{types} × {x}", step=True, term="{x} + W_T")
def token_types(x: Variable, types: ExprLike) -> Variable:
    """x + W_T[types]      (Devlin et al. 2019, section 3)

    x [B S d_model] → the same; W_T [types d_model] tells one segment from the other.
    """
    return x + lookup(param("W_T", types, x.axes[-1]), constant("token_types", *x.axes[:-1], dtype="int64"))
