"""The operations: one function each, its shape rule and its cost in it."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.errors import ShapeError
from shapeviz.expr import Expr, ExprLike, product
from shapeviz.ir import Op, Shape, Tensor
from shapeviz.lang.recorder import add_op, label, running, shown


@dataclass(frozen=True, eq=False)
class Variable(Tensor):
    """A tensor that can be calculated with: `Q @ K.T / sqrt(d_k)`."""

    def __matmul__(self, other: Variable) -> Variable:
        return matmul(self, other)

    def __add__(self, other: Variable) -> Variable:
        return add(self, other)

    def __mul__(self, other: Variable) -> Variable:
        return multiply(self, other)

    def __truediv__(self, divisor: Root) -> Variable:
        return record_op("scale", f"{label(self)} / {divisor}", (self,), self.shape)

    @property
    def T(self) -> Variable:
        """The last two axes exchanged; a way of reading, no step of its own."""
        *leading, rows, columns = self.shape
        flipped = Variable(f"{label(self)}ᵀ", (*leading, columns, rows), self.dtype, self.role)
        running().views[flipped] = running().views.get(self, self)
        return flipped


@dataclass(frozen=True)
class Root:
    """√x, which may be irrational and therefore stays unevaluated."""

    of: Expr

    def __str__(self) -> str:
        return f"√{self.of}" if len(self.of.terms) == 1 else f"√({self.of})"


def sqrt(x: ExprLike) -> Root:
    """√x, by which a variable can be divided."""
    return Root(Expr.of(x))


def record_op(
    kind: str,
    equation: str,
    inputs: tuple[Variable, ...],
    shape: Shape,
    *,
    flops: ExprLike = 0,
    name: str = "",
    dtype: str = "",
) -> Variable:
    """Appends an operation to the running block and gives its result."""
    frame = running()
    own_name = frame.unique(name or kind)
    output = Variable(own_name, shape, dtype or (inputs[0].dtype if inputs else "float32"))
    read = tuple(frame.views.get(tensor, tensor) for tensor in inputs)
    add_op(Op(own_name, kind, equation, read, output, Expr.of(flops)))
    return output


def source(name: str, *shape: ExprLike, dtype: str = "float32") -> Variable:
    """An input of the model, for instance token ids of shape [B, S]."""
    return record_op("input", name.replace("_", " "), (), tuple(map(Expr.of, shape)), name=name, dtype=dtype)


def param(name: str, *shape: ExprLike) -> Variable:
    """A trainable weight, counted once in the block that is the first to use it."""
    return Variable(name, tuple(map(Expr.of, shape)), role="param")


def buffer(name: str, *shape: ExprLike) -> Variable:
    """A tensor that a checkpoint stores and nothing trains."""
    return Variable(name, tuple(map(Expr.of, shape)), role="buffer")


def constant(name: str, *shape: ExprLike) -> Variable:
    """A fixed table, no parameter."""
    return Variable(name, tuple(map(Expr.of, shape)), role="constant")


def matmul(a: Variable, b: Variable, name: str = "") -> Variable:
    """Contracts the last axis of `a` with the last but one of `b`; leading axes are united by name, in order.

    Costs 2 FLOPs for every multiply-add: 2 · (elements of the result) · (inner dimension).
    """
    *left, rows, inner = a.shape
    *right, other, columns = b.shape
    if inner != other:
        raise ShapeError(
            f"{shown(a)} @ {shown(b)}: inner dimensions differ, {inner} ≠ {other}" + _numbers(inner, other)
        )
    leading = [*left, *(axis for axis in right if axis not in left)]
    shape = (*leading, rows, columns)
    return record_op("matmul", f"{label(a)} {label(b)}", (a, b), shape, flops=2 * product(shape) * inner, name=name)


def _numbers(*sizes: Expr) -> str:
    known = running().sizes
    values = [f"{size} = {size.at(known)}" for size in sizes if not size.is_constant and size.names <= known.keys()]
    return f"   ({', '.join(values)})" if values else ""


def _elementwise(symbol: str, a: Variable, b: Variable) -> Shape:
    """The longer shape, if the shorter one is its end."""
    long, short = (a, b) if len(a.shape) >= len(b.shape) else (b, a)
    tail = long.shape[len(long.shape) - len(short.shape) :]
    for one, other in zip(tail, short.shape, strict=True):
        if one != other:
            raise ShapeError(f"{shown(a)} {symbol} {shown(b)}: sizes differ, {one} ≠ {other}" + _numbers(one, other))
    return long.shape


def add(a: Variable, b: Variable, name: str = "add") -> Variable:
    """a + b, elementwise; the shorter shape must be the end of the longer one."""
    return record_op("add", f"{label(a)} + {label(b)}", (a, b), _elementwise("+", a, b), name=name)


def multiply(a: Variable, b: Variable, name: str = "multiply") -> Variable:
    """a ⊙ b, elementwise."""
    return record_op("multiply", f"{label(a)} ⊙ {label(b)}", (a, b), _elementwise("⊙", a, b), name=name)


def apply(kind: str, equation: str, x: Variable, *others: Variable) -> Variable:
    """A function that leaves the shape as it is: an activation, a normalisation, a mask."""
    return record_op(kind, equation, (x, *others), x.shape)


def softmax(x: Variable, name: str = "softmax") -> Variable:
    """softmax over the last axis."""
    return record_op("softmax", f"softmax over {x.shape[-1]}", (x,), x.shape, name=name)


def lookup(table: Variable, ids: Variable) -> Variable:
    """Row `ids` of the table: [B S] → [B S d]."""
    return record_op(
        "lookup", f"{label(table)}[{label(ids)}]", (table, ids), (*ids.shape, table.shape[-1]), dtype=table.dtype
    )


def reshape(kind: str, equation: str, x: Variable, *shape: ExprLike, name: str = "") -> Variable:
    """The elements of x, or some of them, in another shape: cut, moved or repeated, never computed with."""
    return record_op(kind, equation, (x,), tuple(map(Expr.of, shape)), name=name)


def first(x: Variable, name: str = "first") -> Variable:
    """The first of the sequence: [B S d] → [B d]."""
    *leading, _, width = x.shape
    return reshape("first", f"{label(x)}[0]", x, *leading, width, name=name)


def part(x: Variable, width: ExprLike, name: str = "part") -> Variable:
    """Some of the last axis: [… d] → [… width]."""
    return reshape("part", f"part of {label(x)}", x, *x.shape[:-1], width, name=name)


def concatenate(a: Variable, b: Variable, name: str = "concat") -> Variable:
    """Along the last axis: [… d] and [… e] → [… d+e]; leading axes are united by name, as for a product."""
    *left, width = a.shape
    *right, other = b.shape
    leading = left if len(left) >= len(right) else right
    return record_op("concatenate", f"{label(a)} ∥ {label(b)}", (a, b), (*leading, width + other), name=name)


def prepend(x: Variable, token: Variable, name: str = "prepend") -> Variable:
    """One more at the head of the sequence: [B S d] → [B S+1 d]."""
    *leading, rows, width = x.shape
    return record_op("prepend", f"{label(token)} ∥ {label(x)}", (x, token), (*leading, rows + 1, width), name=name)


def split_heads(x: Variable, *heads: ExprLike, name: str = "split_heads") -> Variable:
    """[B S h·d] → [B h S d]; two head counts (g, h/g) give grouped heads [B g h/g S d]."""
    *leading, rows, width = x.shape
    counts = tuple(map(Expr.of, heads))
    return record_op(
        "split_heads", "split into heads", (x,), (*leading, *counts, rows, width / product(counts)), name=name
    )


def merge_heads(x: Variable, heads: int = 1, name: str = "merge_heads") -> Variable:
    """[B h S d] → [B S h·d], the concatenation of the heads; `heads` says how many axes they are."""
    *leading, rows, width = x.shape
    kept, counts = leading[: len(leading) - heads], leading[len(leading) - heads :]
    return record_op("merge_heads", "concatenate heads", (x,), (*kept, rows, product(counts) * width), name=name)
