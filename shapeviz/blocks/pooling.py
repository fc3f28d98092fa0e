"""One vector for a whole sequence, and what comes between an encoder and the head over its vocabulary."""

from __future__ import annotations

from shapeviz.blocks.activation import activation as activate
from shapeviz.blocks.linear import linear
from shapeviz.blocks.norm import layer_norm
from shapeviz.expr import Expr
from shapeviz.lang import Variable, apply, block, first, param, reshape, state


@block(role="head", caption="{x} → {width}", term="Pooler({x})")
def pooler(x: Variable, width: Expr, activation: str = "tanh", last: bool = False) -> Variable:
    """p = tanh(x_1 W + b)

    x [B S d_model] → [B width], of the first token's vector, or of the last one's.
    """
    token = reshape("last", "that of the last token", x, x.axes[0], x.axes[-1]) if last else first(x)
    return state("p", activate(activation, linear(token, width)))


@block(role="head", caption="{x} → {width}", term="Transform({x})")
def transform(x: Variable, width: Expr, activation: str = "gelu") -> Variable:
    """y = LayerNorm(GELU(x W + b))

    x [B S d_model] → [B S width], the width of the token table.
    """
    return state("y", layer_norm(activate(activation, linear(x, width)), name="norm"))


@block(role="embedding", step=True, term="{x}")
def unread(x: Variable, *shape: Expr) -> Variable:
    """y = x,  beside a weight W that is stored and trained but read by nothing

    x → the same. PyTorch's implementations keep such a weight where it could be tied to another and is not.
    """
    return apply("keep", "read by nothing", x, param("W", *shape))
