"""An image cut into patches, each of them a token."""

from __future__ import annotations

from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import Variable, block, param, prepend, reshape


@block(role="embedding", title="Patch embedding", caption="{height} × {width} × {channels} → {d_model}",
       term="x_p^1 E + b_E; …; x_p^n E + b_E")  # fmt: skip
def patches(image: Variable, height: Expr, width: Expr, channels: Expr, n: Expr, d_model: Expr) -> Variable:
    """z = [x_p^1 E + b_E; …; x_p^n E + b_E]      (Dosovitskiy et al. 2021, eq. 1, with a bias)

    image [B c H W] → [B n d_model]: n patches of p × p pixels, each flattened and mapped by E [p²·c d_model] with a
    bias, which is a convolution of stride p.
    """
    pixels = height * width * channels
    flat = reshape(
        "unfold", "cut into patches, flattened", image, image.axes[0], n, pixels, name="patches", copied=True
    )
    return linear(flat, d_model, name="projection")


@block(role="embedding", title="Class token", step=True, term="[x_class; {x}]")
def class_token(x: Variable) -> Variable:
    """z = [x_class; z]      (Dosovitskiy et al. 2021, eq. 1)

    x [B n d_model] → [B n+1 d_model]; x_class [d_model].
    """
    return prepend(x, param("x_class", x.shape[-1]))
