"""A described model, run by PyTorch operation by operation: what autograd saves is an oracle for what our rules say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from shapeviz.ir import ONE, Block, Model, Op
from shapeviz.ir import Tensor as Described


class Interpreter:
    """Runs the tree of a model at its sizes on the meta device, and notes every storage that autograd saves.

    Weights, buffers and fixed tables are not counted, nor are the views of them.
    """

    def __init__(self, model: Model, dtype: torch.dtype = torch.float32, *, flash: bool = False) -> None:
        self.model, self.dtype, self.flash = model, dtype, flash
        self.values: dict[Described, Any] = {}
        self.apart: dict[int, Tensor] = {}
        self.saved: dict[int, tuple[Tensor, int]] = {}

    def bytes_saved(self) -> int:
        """Bytes of all storages that the forward pass saves."""
        with torch.device("meta"), torch.autograd.graph.saved_tensors_hooks(self._save, lambda tensor: tensor):
            self._block(self.model.root)
        return sum(size for key, (_, size) in self.saved.items() if key not in self.apart)

    def _save(self, tensor: Tensor) -> Tensor:
        if tensor.dim():  # a number that an operation was given is no tensor of the model
            storage = tensor.untyped_storage()
            self.saved[storage._cdata] = tensor, storage.nbytes()
        return tensor

    def _size(self, size: Any) -> int:
        return int(size.at(self.model.sizes.numbers))

    def _shape(self, tensor: Described) -> tuple[int, ...]:
        return tuple(map(self._size, tensor.shape))

    def _value(self, tensor: Described) -> Tensor:
        if tensor not in self.values:
            learns = tensor.role == "param"
            whole = tensor.dtype != "float32"
            made = torch.empty(self._shape(tensor), dtype=torch.int64 if whole else self.dtype, requires_grad=learns)
            self.apart[made.untyped_storage()._cdata] = made
            self.values[tensor] = made
        return self.values[tensor]

    def _block(self, block: Block) -> None:
        for node in block.body:
            if isinstance(node, Op):
                self.values[node.output] = self._op(node)
            elif self.flash and node.kind == "attention" and all(map(_fuses, node.ops)):
                self.values[node.output] = self._attention(node)
            elif node.repeat == ONE:
                self._block(node)
            else:
                self._runs(node, self._size(node.repeat))

    def _runs(self, block: Block, runs: int) -> None:
        """Every run has weights of its own, and gets what the one before gave; experts get tokens of their own."""
        own = set(_weights(block))
        given = block.inputs[-1] if block.others else block.inputs[0]
        before, results = self._value(given), []
        scanned = [tensor for tensor in _read(block) if block.others and block.repeat in tensor.shape]
        whole = {tensor: self.values[tensor] for tensor in scanned if tensor in self.values}
        for run in range(runs):
            for weight in own if block.copies != ONE else ():
                self.values.pop(weight, None)
            if block.routed:
                tokens = before.reshape(-1, before.shape[-1])
                self.values[given] = tokens[torch.arange(len(tokens))].view(before.shape)
            for tensor, value in whole.items():
                self.values[tensor] = value.select(tensor.shape.index(block.repeat), run)
            self._block(block)
            results.append(self.values[block.output])
            if not block.routed:
                self.values[given] = self.values[block.others[0] if block.others else block.output]
        self.values.update({given: before, **whole})
        self.values[block.output] = results if block.routed or block.others else [before, *results][-1]

    def _attention(self, block: Block) -> Tensor:
        Q, K, V = (self.values[tensor] for tensor in block.inputs[:3])
        if Q.dim() == 5:
            K, V = (kept.unsqueeze(2) for kept in (K, V))
        return Flash.apply(Q, K, V)

    def _op(self, op: Op) -> Any:
        if op.kind == "input":
            dtype = self.dtype if op.output.dtype == "float32" else torch.int64
            return torch.empty(self._shape(op.output), dtype=dtype, requires_grad=dtype == self.dtype)
        if op.kind == "stack":
            at = next(i for i, size in enumerate(op.output.shape) if size not in op.inputs[0].shape)
            return torch.stack(self.values[op.inputs[0]], at)
        read = [self.values[t] if isinstance(self.values.get(t), list) else self._value(t) for t in op.inputs]
        return OPERATIONS[op.kind](op, self._shape(op.output), *read)


class Flash(torch.autograd.Function):
    """What FlashAttention's kernel saves: its inputs, its result laid out as tokens, and a float32 for every query."""

    @staticmethod
    def forward(ctx: Any, Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
        *leading, length, _ = Q.shape
        heads = range(2, 2 + len(leading) - 1)
        laid = torch.empty(leading[0], length, *leading[1:], V.shape[-1], dtype=Q.dtype)
        result = laid.permute(0, *heads, 1, laid.dim() - 1)
        ctx.save_for_backward(Q, K, V, result, torch.empty(*leading, length, dtype=torch.float32))
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        raise NotImplementedError


def _fuses(op: Op) -> bool:
    return op.kind in ("matmul", "scale", "mask", "softmax") and all(tensor.role == "data" for tensor in op.inputs)


def _weights(block: Block) -> Iterator[Described]:
    yield from block.params
    for inner in block.blocks:
        yield from _weights(inner)


def _read(block: Block) -> Iterator[Described]:
    for node in block.body:
        yield from dict.fromkeys(node.inputs if isinstance(node, Op) else _read(node))


def _matmul(op: Op, shape: tuple[int, ...], a: Tensor, b: Tensor) -> Tensor:
    b = b.transpose(-1, -2) if op.equation.endswith("ᵀ") else b
    while 2 < b.dim() < a.dim():
        b = b.unsqueeze(2)
    return a @ b


def _contract(op: Op, shape: tuple[int, ...], a: Tensor, b: Tensor) -> Tensor:
    result = [axis.name for axis in op.output.axes]
    first, second = (_names(tensor, value, result) for tensor, value in zip(op.inputs, (a, b), strict=True))
    if gone := [name for name in first if name not in result]:  # h [B d n] and C [B n] over n
        assert first[-1:] == gone
        return (a @ b.unsqueeze(-1)).squeeze(-1)
    spread = [tensor[tuple(slice(None) if n in axes else None for n in result)]
              for tensor, axes in ((a, first), (b, second))]  # fmt: skip
    return spread[0] * spread[1]


def _names(tensor: Described, value: Tensor, result: list[str]) -> list[str]:
    """The names of a tensor's axes, of one step of a scan without the axis that is scanned."""
    axes = [axis.name for axis in tensor.axes]
    return axes if len(axes) == value.dim() else [name for name in axes if name in result or name != "S"]


def _split(op: Op, shape: tuple[int, ...], x: Tensor) -> Tensor:
    batch, *heads, rows, width = shape
    split = x.view(batch, rows, *heads, width)
    return split.permute(0, *range(2, 2 + len(heads)), 1, split.dim() - 1)


def _merge(op: Op, shape: tuple[int, ...], x: Tensor) -> Tensor:
    return x.permute(0, x.dim() - 2, *range(1, x.dim() - 2), x.dim() - 1).reshape(shape)


def _norm(op: Op, shape: tuple[int, ...], x: Tensor, *weights: Tensor) -> Tensor:
    width = x.shape[-1:]
    if op.equation == "unit root mean square":  # as in Llama's own code: in float32, and back before the scale
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x) * weights[0]
    if weights and weights[0].dim() > 1:
        return F.layer_norm(x, width) * weights[0].unsqueeze(-2)
    named = {tensor.name: weight for tensor, weight in zip(op.inputs[1:], weights, strict=True)}
    return F.layer_norm(x, width, named.get("γ"), named.get("β"))


def _softmax(op: Op, shape: tuple[int, ...], x: Tensor, *sinks: Tensor) -> Tensor:
    if not sinks:
        return x.softmax(-1)
    column = sinks[0].reshape(*x.shape[1:-2], 1, 1).expand(*x.shape[:-1], 1)
    return torch.cat([x, column], -1).softmax(-1)[..., :-1]


def _expand(op: Op, shape: tuple[int, ...], x: Tensor) -> Tensor:
    while x.dim() < len(shape):
        x = x.unsqueeze(1)
    return x.expand(shape)


def _rotate(op: Op, shape: tuple[int, ...], x: Tensor) -> Tensor:
    # the tables have no gradient, so they alone are saved: they are constants of the model
    return Turned.apply(x)


class Turned(torch.autograd.Function):
    """A rotation by tables that are held anyway."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.contiguous_format)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def _convolution(op: Op, shape: tuple[int, ...], x: Tensor, W: Tensor, *b: Tensor) -> Tensor:
    return F.conv1d(x.transpose(1, 2), W, *b, padding=W.shape[-1] - 1, groups=len(W)).transpose(1, 2).contiguous()


def _combine(op: Op, shape: tuple[int, ...], y: list[Tensor], p: Tensor) -> Tensor:
    return (torch.stack(y) * p.movedim(-1, 0).unsqueeze(-1)).sum(0)


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda op, shape, *values: function(*values)


def _tanh_gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "matmul": _matmul, "contract": _contract, "split_heads": _split, "merge_heads": _merge, "normalise": _norm,
    "softmax": _softmax, "expand": _expand, "rotate": _rotate, "convolution": _convolution, "combine": _combine,
    "add": _plain(torch.add), "multiply": _plain(torch.mul), "concatenate": _plain(lambda a, b: torch.cat([a, b], -1)),
    "prepend": _plain(lambda x, token: torch.cat([token.expand(len(x), 1, -1), x], 1)),
    "correct": _plain(torch.add), "scale": _plain(lambda x: x * 2.0), "keep": _plain(lambda x, W: x),
    "lookup": _plain(lambda table, ids: F.embedding(ids, table)),
    "mask": _plain(lambda x: x.masked_fill(torch.ones(x.shape[-2:], dtype=torch.bool), 0.0)),
    "top_k": lambda op, shape, x: x.topk(shape[-1])[0],
    "part": lambda op, shape, x: x.narrow(-1, 0, shape[-1]), "cut": lambda op, shape, x: x.narrow(1, 0, shape[1]),
    "first": _plain(lambda x: x[:, 0]), "last": _plain(lambda x: x[:, -1]),
    "transpose": _plain(lambda x: x.movedim(-1, 0)), "unfold": lambda op, shape, x: x.reshape(shape) * 1.0,
    "slopes": lambda op, shape, m: torch.empty(shape, dtype=m.dtype),
    "gelu": _plain(F.gelu), **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh"), _plain(_tanh_gelu)),
    "silu": _plain(F.silu), "swish": _plain(F.silu), "relu": _plain(F.relu), "tanh": _plain(torch.tanh),
    "relu2": _plain(lambda x: F.relu(x).square()), "sigmoid": _plain(torch.sigmoid), "exp": _plain(torch.exp),
    "softplus": _plain(F.softplus), "clamp": _plain(lambda x: x.clamp(max=7.0)),
}  # fmt: skip
