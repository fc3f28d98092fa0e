"""What each kind of operation keeps for its backward pass, as PyTorch's derivatives have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from shapeviz.expr import Expr, product
from shapeviz.ir import Op, Tensor, width

LAYOUT = ("split_heads", "part", "expand", "transpose", "first", "last", "cut")
"""Views in which elements do not lie one after the other; a bias added while a product is written is none of them."""


class Kept(NamedTuple):
    """What an operation keeps: a tensor, or something of so many `bytes` that it makes for this alone.

    A tensor with `bytes` lies in a storage of that size.
    """

    tensor: Tensor | None
    label: str = ""
    bytes: Expr | None = None


class Context(NamedTuple):
    """What a rule may ask: the dtype of activations, which tensors get a gradient, and which are views whose elements
    lie apart, so that a batched product reads a copy of them."""

    dtype: str
    learning: set[Tensor]
    scattered: set[Tensor]

    def bytes(self, tensor: Tensor, *sizes: Expr) -> Expr:
        """Bytes of a tensor of its dtype, or of so many of its elements."""
        dtype = self.dtype if tensor.dtype == "float32" else tensor.dtype
        return product(sizes or tensor.shape) * width(dtype)


Rule: TypeAlias = Callable[[Op, Context], Iterator[Kept]]


def nothing(op: Op, context: Context) -> Iterator[Kept]:
    """A sum, a multiple, whatever only moves elements: the derivative needs no values."""
    yield from ()


def inputs(op: Op, context: Context) -> Iterator[Kept]:
    """Of an elementwise function: what it was applied to."""
    yield Kept(op.inputs[0])


def result(op: Op, context: Context) -> Iterator[Kept]:
    """Of max(0, x), exp, σ, tanh, softmax: the derivative is one of the result."""
    yield Kept(op.output)


def factors(op: Op, context: Context) -> Iterator[Kept]:
    """Of a product: each factor, if the other one gets a gradient."""
    first, second = op.inputs[:2]
    yield from (Kept(kept) for kept, other in ((first, second), (second, first)) if other in context.learning)


def matmul(op: Op, context: Context) -> Iterator[Kept]:
    """Of a matrix product as of any other; a batched one reads copies of what is scattered, or shared by a group."""
    batched = all(len(tensor.shape) > 2 for tensor in op.inputs)
    for kept in factors(op, context):
        tensor = kept.tensor
        assert tensor
        shared = len(tensor.shape) < len(op.output.shape)
        if batched and (shared or tensor in context.scattered):
            leading = op.output.shape[:-2] if shared else tensor.shape[:-2]
            yield Kept(None, f"{tensor.name}, copied", context.bytes(tensor, *leading, *tensor.shape[-2:]))
        else:
            yield kept


def lookup(op: Op, context: Context) -> Iterator[Kept]:
    """The ids, by which the gradient goes to the rows of the table."""
    yield Kept(op.inputs[1])


def softmax(op: Op, context: Context) -> Iterator[Kept]:
    """The result; with a sink beside the scores it is a part of what is kept, which has one column more."""
    *leading, columns = op.output.shape
    sinks = len(op.inputs) - 1
    yield Kept(op.output, "", context.bytes(op.output, *leading, columns + sinks))


def mask(op: Op, context: Context) -> Iterator[Kept]:
    """What is hidden: one byte for each query and key, the same for all sequences and heads."""
    yield Kept(None, "mask (bool)", product(op.output.shape[-2:]))


def normalise(op: Op, context: Context) -> Iterator[Kept]:
    """Of LayerNorm the input, and 4 bytes each of every vector's mean and deviation; of RMSNorm see `root_mean_square`.

    A scale for every head is a product of its own, which needs what is scaled.
    """
    if op.equation == "unit root mean square":
        yield from root_mean_square(op, context)
        return
    yield Kept(op.inputs[0])
    yield Kept(None, "mean and deviation (float32)", product(op.output.shape[:-1]) * 8)
    if any(len(weight.shape) > 1 for weight in op.inputs[1:]):
        yield Kept(None, "normalised", context.bytes(op.output))


def root_mean_square(op: Op, context: Context) -> Iterator[Kept]:
    """The input in float32, 4 bytes of every vector's root mean square, and what is scaled."""
    if context.dtype == "float32":
        yield Kept(op.inputs[0])
    else:
        yield Kept(None, "input (float32)", product(op.output.shape) * 4)
    yield Kept(None, "statistics (float32)", product(op.output.shape[:-1]) * 4)
    yield Kept(None, "normalised", context.bytes(op.output))


def top_k(op: Op, context: Context) -> Iterator[Kept]:
    """The places of what was chosen, 8 bytes each."""
    yield Kept(None, "indices (int64)", product(op.output.shape) * 8)


def squared_relu(op: Op, context: Context) -> Iterator[Kept]:
    """What max(0, x) gave, which the square needs too."""
    yield Kept(None, f"{op.name}, before the square", context.bytes(op.output))


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("input", "add", "scale", "concatenate", "prepend", "merge_heads", "rotate", "slopes", "stack",
                     "unfold", "correct", "keep", "linear", *LAYOUT), nothing),
    **dict.fromkeys(("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "silu", "swish", "mish", "hardswish",
                     "leaky_relu", "relu6", "softplus", "clamp"), inputs),
    **dict.fromkeys(("relu", "tanh", "sigmoid", "exp"), result),
    "relu2": squared_relu,
    "matmul": matmul, "contract": factors, "multiply": factors, "combine": factors, "convolution": factors,
    "lookup": lookup, "softmax": softmax, "mask": mask, "normalise": normalise, "top_k": top_k,
}  # fmt: skip
