"""Operations that we run in our own way, since torch without a device would run, count or save them in another.

Attention and dropout as a GPU runs them, recurrent layers and grouped products by their closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from shapeviz.tracing.asks_first import allclose, equal, squeeze, squeeze_, tensor_split
from shapeviz.tracing.counted_by_letters import histc, one_hot, tensor
from shapeviz.tracing.multiply_adds import Products
from shapeviz.tracing.packed_sequences import BatchSizes, in_order, pack, pad
from shapeviz.tracing.torch_private import Size

# Where the running trace books multiply-adds, forward and backward, and bytes that it cannot know.
counter: ContextVar[Callable[[Products], None]] = ContextVar("counter")
unsaved: ContextVar[Callable[[str], None]] = ContextVar("unsaved")


class Context(Protocol):
    """What torch hands from the forward pass of a function of its own to the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor | None) -> None: ...


class RecurrentContext(Context, Protocol):
    """With the cost of the backward pass, and tensors like its gradients, or the shape of the only one."""

    cost: Products
    like: tuple[Tensor, ...]
    shape: Sequence[Size]


Window = int | list[int] | tuple[int, ...]


class FusedAttention(torch.autograd.Function):
    """softmax(Q Kᵀ / √d) V in one kernel (Dao et al. 2022, section 3.1): saves Q, K, V, the result and log Σ exp.

    Q [… h S d_k], K [… g T d_k], V [… g T d_v]; the result is laid out as Q is, or as [… S h d_v] where d_v differs, as
    the kernels do.
    """

    @staticmethod
    def forward(ctx: Context, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        *leading, queries, width = q.shape
        if width == v.shape[-1]:
            out = torch.empty_like(q)
        elif len(leading) > 1:  # [B h S d] whose memory is [B S h d], so that the heads are put together without a copy
            *outer, heads = leading
            out = q.new_empty(*outer, queries, heads, v.shape[-1]).transpose(-3, -2)
        else:
            out = q.new_empty(*leading, queries, v.shape[-1])
        sums = torch.empty(*leading, queries, dtype=torch.float32, device=q.device)
        ctx.save_for_backward(q, k, v, mask, out, sums)
        counter.get()([[*leading, queries, k.shape[-2], width], [*leading, queries, k.shape[-2], v.shape[-1]]])
        return out

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dV = Pᵀ dO, dP = dO Vᵀ, dQ = dS K, dK = dSᵀ Q; that P is computed anew is the kernel's own affair."""
        q, k, v, mask, _, _ = ctx.saved_tensors
        need_q, need_k, need_v, need_mask = ctx.needs_input_grad
        weights = [*q.shape[:-1], k.shape[-2]]
        counter.get()(
            [[*weights, v.shape[-1]]] * (need_v + (need_q or need_k or need_mask))  # dV and dP
            + [[*weights, q.shape[-1]]] * (need_q + need_k)  # dQ and dK
        )
        inputs = zip((q, k, v, mask), ctx.needs_input_grad, strict=True)
        return tuple(torch.empty_like(x) if x is not None and needed else None for x, needed in inputs)


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """`scaled_dot_product_attention` on any device. Raises RuntimeError where the shapes do not fit."""
    if len({query.dtype, key.dtype, value.dtype}) > 1:
        raise RuntimeError(f"tensors of one dtype are needed, not {query.dtype}, {key.dtype} and {value.dtype}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError("queries and keys must have one width, keys and values one length")
    if not enable_gqa:
        leading = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])  # type: ignore[no-untyped-call]
        query = query.expand(*leading, *query.shape[-2:])
    elif key.dim() < 3 or query.dim() != key.dim() or query.shape[-3] % key.shape[-3]:
        raise RuntimeError("the heads of the queries must be a multiple of those of keys and values")
    if attn_mask is not None:
        torch.broadcast_shapes(attn_mask.shape, (*query.shape[:-1], key.shape[-2]))  # type: ignore[no-untyped-call]
        if attn_mask.dtype == torch.bool:  # every call makes one of numbers from it
            attn_mask = torch.empty_like(attn_mask, dtype=query.dtype)
        attn_mask = attn_mask if attn_mask.requires_grad else attn_mask.detach()
    result: Tensor = FusedAttention.apply(query, key, value, attn_mask)  # type: ignore[no-untyped-call]
    return result


class GroupedProduct(torch.autograd.Function):
    """Rows of x [r k], each times the matrix of its expert, w [E k n]: 2·r·k·n, however the rows are divided."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        counter.get()([[*x.shape, w.shape[-1]]])
        return x.new_empty(*x.shape[:-1], w.shape[-1])

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        counter.get()([[*x.shape, w.shape[-1]]] * sum(ctx.needs_input_grad))
        inputs = zip((x, w), ctx.needs_input_grad, strict=True)
        return tuple(torch.empty_like(tensor) if needed else None for tensor, needed in inputs)


def grouped_mm(
    x: Tensor, w: Tensor, *rest: object, offs: object = None, bias: object = None, out_dtype: object = None
) -> Tensor:
    """`grouped_mm` of rows with the experts' matrices, in any dtype."""
    if x.dim() != 2 or w.dim() != 3:
        raise NotImplementedError(f"grouped_mm of {x.dim()} and {w.dim()} axes")
    if x.shape[-1] != w.shape[-2]:
        raise RuntimeError(f"inner dimensions differ, {x.shape[-1]} and {w.shape[-2]}")
    result: Tensor = GroupedProduct.apply(x, w)  # type: ignore[no-untyped-call]
    return result


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, train: bool = True
) -> Tensor:
    """Dropout as a GPU runs it: the mask that is saved takes one byte an element. In place it gives a new tensor."""
    if not (training and train) or not 0 < p < 1:
        return input
    return torch.native_dropout(input, p, True)[0]


class Bilinear(torch.autograd.Function):
    """xᵀ W y as a matrix product with x [… i] and then one with y [… j], in one kernel; W is [o i j]."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, y, weight)
        rows = x.shape[:-1]
        counter.get()([[*rows, *weight.shape], [*rows, *weight.shape[::2]]])
        return x.new_empty(*rows, weight.shape[0])

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With P = x W [… o j]: dP = g y and dy = g P; dx = dP W and dW = dP x."""
        x, _, weight = ctx.saved_tensors
        need_x, need_y, need_weight = ctx.needs_input_grad
        rows = x.shape[:-1]
        counter.get()(
            [[*rows, *weight.shape[::2]]] * (need_y + (need_x or need_weight))
            + [[*rows, *weight.shape]] * (need_x + need_weight)
        )
        tensors = zip(ctx.saved_tensors, ctx.needs_input_grad, strict=True)
        return tuple(torch.empty_like(tensor) if needed else None for tensor, needed in tensors)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """xᵀ W y + b."""
    if (input1.shape[-1], input2.shape[-1]) != weight.shape[1:] or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(f"widths {input1.shape[-1]} and {input2.shape[-1]} do not fit {tuple(weight.shape[1:])}")
    product: Tensor = Bilinear.apply(input1, input2, weight)  # type: ignore[no-untyped-call]
    return product if bias is None else product + bias


class Resampled(torch.autograd.Function):
    """A picture made at another size; for its gradient the kernels need no more than the sizes."""

    @staticmethod
    def forward(ctx: RecurrentContext, x: Tensor, made: Tensor) -> Tensor:
        ctx.shape = x.shape
        return made

    @staticmethod
    def backward(ctx: RecurrentContext, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return grads[0].new_empty(ctx.shape), None


def interpolate(input: Tensor, *args: object, **kwargs: object) -> Tensor:
    """Torch's own, of which no table of indices is saved, as none is by its kernels."""
    resample: Callable[..., Tensor] = torch.nn.functional.interpolate
    if "area" in (kwargs.get("mode"), *args):  # which is pooling
        return resample(input, *args, **kwargs)
    with torch.no_grad():
        made = resample(input, *args, **kwargs)
    result: Tensor = Resampled.apply(input, made)  # type: ignore[no-untyped-call]
    return result


def max_pool1d(
    x: Tensor, kernel_size: Window, stride: Window | None = None, padding: Window = 0, dilation: Window = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """Pooling over one axis as over two, of which the first is 1: torch's own takes its sizes for numbers."""
    window, step, border, spread = map(_only, (kernel_size, stride or kernel_size, padding, dilation))
    pooled = torch.nn.functional.max_pool2d_with_indices(
        x.unsqueeze(-2), (1, window), (1, step), (0, border), (1, spread), ceil_mode
    )
    values, indices = (tensor.squeeze(-2) for tensor in pooled)
    return (values, indices) if return_indices else values


def _only(value: Window) -> int:
    """A window's size along the only axis, given as a number or as a sequence of one."""
    return value[0] if isinstance(value, list | tuple) else value


class Recurrence(torch.autograd.Function):
    """A recurrent network over B·S positions; what its kernel saves is the kernel's own affair."""

    @staticmethod
    def forward(
        ctx: RecurrentContext, cost: Products, backward_cost: Products, shapes: Sequence[Sequence[Size]], x: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        ctx.cost, ctx.like = backward_cost, (x, *weights)
        counter.get()(cost)
        if any(t.requires_grad for t in (x, *weights)):
            unsaved.get()("the reserve space of a recurrent layer's kernel")
        return tuple(x.new_empty(shape) for shape in shapes)

    @staticmethod
    def backward(ctx: RecurrentContext, *grads: Tensor) -> tuple[Tensor | None, ...]:
        counter.get()(ctx.cost)
        needed = zip(ctx.like, ctx.needs_input_grad[3:], strict=True)
        return (None, None, None, *(torch.empty_like(t) if need else None for t, need in needed))


def padded(
    x: Tensor, hx: Tensor | Sequence[Tensor], weights: Sequence[Tensor], biases: bool, layers: int, dropout: float,
    train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    """lstm, gru or a plain rnn, as `torch.nn` calls them, of a padded sequence.

    Every weight matrix [gates·h, k] meets every row once; in the backward pass once more for the gradient of the weight
    and once for that of what it read. hx: the first states, of which an lstm has two.
    """
    states: Sequence[Tensor] = (hx,) if isinstance(hx, Tensor) else hx
    width, hidden = states[0].shape[-1], states[-1].shape[-1]  # of the results and of the cell; unlike if projected
    matrices = [w for w in weights if w.dim() == 2]
    rows = [*x.shape[:-1]]
    directions = 2 if bidirectional else 1
    per_direction = 3 if width != hidden else 2  # W_ih, W_hh and, if projected, W_hr
    cost = [[*rows, *w.shape] for w in matrices]
    backward_cost = [[*rows, *w.shape] for w in matrices if w.requires_grad]
    learns = any(w.requires_grad for w in matrices)
    for i, w in enumerate(matrices):
        reads_x = i < per_direction * directions and i % per_direction == 0
        needed = x.requires_grad or (learns and not reads_x)
        backward_cost += [[*rows, *w.shape]] * needed
    shapes = [[*rows, width * directions], *(state.shape for state in states)]
    results: tuple[Tensor, ...] = Recurrence.apply(cost, backward_cost, shapes, x, *weights)  # type: ignore[no-untyped-call]
    return results


def recurrent(*args: Any) -> tuple[Tensor, ...]:
    """The same of a padded sequence or of a packed one, whose arguments torch gives in another order."""
    return padded(*(in_order(*args) if isinstance(args[1], BatchSizes) else args))


# By the name of torch's function, as a function mode sees it.
STAND_INS: dict[str, Callable[..., object]] = {
    "squeeze": squeeze,
    "squeeze_": squeeze_,
    "tensor_split": tensor_split,
    "equal": equal,
    "allclose": allclose,
    "scaled_dot_product_attention": attention,
    "dropout": dropout,
    "tensor": tensor,
    "histc": histc,
    "one_hot": one_hot,
    "bilinear": bilinear,
    "interpolate": interpolate,
    "max_pool1d": max_pool1d,
    "max_pool1d_with_indices": partial(max_pool1d, return_indices=True),
    "lstm": recurrent,
    "gru": recurrent,
    "rnn_tanh": recurrent,
    "rnn_relu": recurrent,
    "_pack_padded_sequence": pack,
    "_pad_packed_sequence": pad,
    "_grouped_mm": grouped_mm,
    "grouped_mm": grouped_mm,
}
