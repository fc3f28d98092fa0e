"""Labels of what is traced: kinds and equations of operations; roles, equations and captions of torch's own modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from torch import nn

from shapeviz.expr import Expr
from shapeviz.tracing.torch_private import Convolution, Size

KINDS = {
    "__getitem__": "index", "__setitem__": "assign", "__matmul__": "matmul", "truediv": "div", "iadd": "add",
    "multiply": "mul", "subtract": "sub", "scaled_dot_product_attention": "attention", "true_divide": "div",
    "__rpow__": "pow", "concat": "cat", "__get__": "view",
}  # fmt: skip
# Equations by the labels of what an operation reads.
FORMS = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} ⊙ {1}", "div": "{0} / {1}", "matmul": "{0} {1}",
    "bmm": "{0} {1}", "mm": "{0} {1}",
    "attention": "softmax({0} {1}ᵀ / √d) {2}", "neg": "-{0}", "baddbmm": "{0} + {1} {2}",
    "addmm": "{0} + {1} {2}",
}  # fmt: skip
EQUATIONS = {
    "Linear": "x Wᵀ + b", "Bilinear": "xᵀ W y + b", "Embedding": "W[ids]",
    "LayerNorm": "(x - mean) / √(var + ε) ⊙ γ + β",
    "RMSNorm": "x / √(mean x² + ε) ⊙ γ", "Softmax": "softmax(x)", "ReLU": "max(0, x)", "GELU": "x Φ(x)",
    "SiLU": "x σ(x)", "Sigmoid": "σ(x)",
    "Tanh": "tanh(x)", "Identity": "x", "Dropout": "dropout(x)", "Flatten": "flatten(x)",
    "Conv1d": "W ∗ x + b", "Conv2d": "W ∗ x + b", "Conv3d": "W ∗ x + b", "ConvTranspose1d": "Wᵀ ∗ x + b",
    "ConvTranspose2d": "Wᵀ ∗ x + b", "ConvTranspose3d": "Wᵀ ∗ x + b", "LSTM": "i, f, g, o = W_i x + W_h h + b",
    "GRU": "r, z, n = W_i x + W_h h + b", "BatchNorm1d": "(x - mean) / √(var + ε) ⊙ γ + β",
    "BatchNorm2d": "(x - mean) / √(var + ε) ⊙ γ + β", "MultiheadAttention": "Concat(head_1, …, head_h) W_O",
}  # fmt: skip
# The first that a class's name contains: a cross-attention is one before it is an attention.
ROLES = (
    (r"Norm", "norm"), (r"Embed|Position|Rotary", "embedding"), (r"Cross.*Att", "cross"), (r"Att", "attention"),
    (r"MLP|FeedForward|FFN|Mlp|Expert|MoE|Moe|DenseActDense", "feed_forward"), (r"Softmax", "softmax"),
    (r"Linear|Conv|LSTM|GRU|RNN|Bilinear", "linear"),
)  # fmt: skip


def kind_of(func: Callable[..., object]) -> str:
    """The plain name of a function of torch: `add` for `__radd__`, `add_` and `add`."""
    name = getattr(func, "__name__", "") or "operation"
    if name == "__get__":  # x.mT and the like: the descriptor of a property of tensors
        return str(getattr(getattr(func, "__self__", None), "__name__", "view")).replace("mT", "transpose")
    if name in KINDS:
        return KINDS[name]
    plain = name.strip("_")
    plain = plain[1:] if re.fullmatch(r"r(add|sub|mul|div|truediv|matmul|pow|mod|floordiv)", plain) else plain
    return KINDS.get(plain, plain)


def described(kind: str, labels: Sequence[str], args: Sequence[object]) -> str:
    """`softmax(scores)`, `Q Kᵀ`, `x + y`: an operation in the labels of what it reads."""
    if kind == "linear" and len(labels) > 1:
        bias = f" + {labels[2]}" if len(labels) > 2 else ""
        return f"{labels[0]} {labels[1]}ᵀ{bias}"
    operands = [*labels, *(_short(arg) for arg in args[1:2] if isinstance(arg, int | float))]
    form = FORMS.get(kind)
    if form and len(operands) >= form.count("{"):
        return form.format(*operands)
    if kind == "einsum" and args and isinstance(args[0], str):
        return f"einsum {args[0]}"
    if kind == "linear":
        return kind
    more = "…" if len(labels) > 4 else ""
    return f"{kind}({', '.join(labels[:4])}{more})"


def _short(number: float) -> str:
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def equation(module: nn.Module) -> str:
    """The equation of one of torch's own modules, without a bias that it has not; empty for others."""
    name = type(module).__name__
    if not type(module).__module__.startswith("torch.nn"):
        return ""
    text = EQUATIONS.get(name, "")
    if getattr(module, "bias", "none is known") is None:
        return text.replace(" + b", "").replace(" + β", "")
    return text


def caption(module: nn.Module, size: Callable[[Size], Expr]) -> tuple[str | Expr, ...]:
    """The sizes of one of torch's own modules in short: `512 → 2048`, `3 → 64, kernel 7×7, stride 2`.

    size: what a number of the module is as an expression.
    """
    match module:
        case nn.Linear():
            return size(module.in_features), " → ", size(module.out_features)
        case nn.Embedding():
            return size(module.num_embeddings), " × ", size(module.embedding_dim)
        case Convolution():
            stride = (", stride ", *_times(module.stride, size)) if any(step != 1 for step in module.stride) else ()
            groups = (", ", size(module.groups), " groups") if module.groups > 1 else ()
            kernel = ", kernel ", *_times(module.kernel_size, size)
            return size(module.in_channels), " → ", size(module.out_channels), *kernel, *stride, *groups
        case nn.RNNBase():
            layers = (", ", size(module.num_layers), " layers") if module.num_layers > 1 else ()
            both = (", both ways",) * module.bidirectional
            return size(module.input_size), " → ", size(module.hidden_size), *layers, *both
        case nn.MultiheadAttention():
            return "heads ", size(module.num_heads), " × ", size(module.head_dim)
        case nn.Dropout():
            return (f"p = {module.p}",)
    return ()


def _times(sizes: Sequence[Size], size: Callable[[Size], Expr]) -> Iterator[str | Expr]:
    for i, one in enumerate(sizes):
        yield from ("×", size(one)) if i else (size(one),)


def role(module: nn.Module) -> str:
    """attention, feed_forward, norm, embedding, linear, softmax: what colours a box; empty for anything else."""
    name = type(module).__name__
    return next((role for pattern, role in ROLES if re.search(pattern, name)), "")
