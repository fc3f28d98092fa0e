"""Elementwise functions under the names that configurations have for them."""

from __future__ import annotations

from shapeviz.lang import Variable, apply, write

GELU = "GELU(x) = x·Φ(x)"
TANH = "GELU(x) ≈ x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))"
SILU = "SiLU(x) = x·σ(x)"
EQUATIONS = {
    "relu": "ReLU(x) = max(0, x)",
    "gelu": GELU,
    "gelu_new": TANH,
    "gelu_fast": TANH,
    "gelu_pytorch_tanh": TANH,
    "silu": SILU,
    "swish": SILU,
    "tanh": "tanh(x)",
    "sigmoid": "σ(x)",
    "relu2": "ReLU²(x) = max(0, x)²",
}
TERMS = {
    "relu": "max(0, {0})", "silu": "SiLU({0})", "swish": "SiLU({0})", "relu2": "ReLU²({0})", "sigmoid": "σ({0})",
}  # fmt: skip
NAMES = (
    *EQUATIONS, "gelu_10", "gelu_accurate", "gelu_python", "gelu_python_tanh", "hardswish", "laplace", "leaky_relu",
    "linear", "mish", "quick_gelu", "relu6", "sqrtsoftplus",
)  # fmt: skip
"""Those of transformers' ACT2FN that have no weights of their own."""


def activation(name: str, x: Variable) -> Variable:
    """The function of that name, elementwise: it changes no shape and has no matrix product."""
    return write(apply(name, EQUATIONS.get(name, f"{name}(x)"), x), written_as(name), x)


def written_as(name: str) -> str:
    """How an equation writes the function: `SiLU({0})`; GELU for all its approximations.

    >>> written_as("gelu_new"), written_as("relu"), written_as("mish")
    ('GELU({0})', 'max(0, {0})', 'mish({0})')
    """
    return "GELU({0})" if "gelu" in name else TERMS.get(name, f"{name}({{0}})")
