"""The operations: one function each, its shape rule and its cost in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shapeviz.errors import ShapeError
from shapeviz.expr import Expr, ExprLike, product
from shapeviz.ir import Op, Tensor
from shapeviz.lang.axes import AxisName, Size, aligned, axes, differing, place, united, width
from shapeviz.lang.axes import axes as axes_of
from shapeviz.lang.recorder import add_op, label, running, shown
from shapeviz.lang.writing import write

SIGNS = {
    "matmul": "{0} {1}", "add": "{0} + {1}", "multiply": "{0} ⊙ {1}", "softmax": "softmax({0})", "lookup": "{0}[{1}]",
    "split_heads": "{0}", "merge_heads": "{0}", "expand": "{0}", "first": "{0}_1", "last": "{0}_S",
    "concatenate": "[{0}; {1}]", "top_k": "TopK({0})",
}  # fmt: skip
"""How an equation writes the operation of a kind, over its inputs; what only moves elements has no sign."""

__all__ = [
    "Variable", "add", "alias", "apply", "buffer", "concatenate", "constant", "contract", "first", "input_", "lookup",
    "matmul", "merge_heads", "multiply", "operation", "param", "part", "prepend", "reshape", "softmax", "source",
    "split_heads", "sqrt",
]  # fmt: skip


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
        scaled = operation("scale", f"{label(self)} / {divisor}", (self,), self.axes)
        return write(scaled, f"{{0}} / {divisor}", self)

    @property
    def T(self) -> Variable:
        """The last two axes exchanged; a way of reading, no step of its own."""
        *leading, rows, columns = self.axes
        flipped = Variable(f"{label(self)}ᵀ", (*leading, columns, rows), self.dtype, self.role)
        running().views[flipped] = running().views.get(self, self)
        return write(flipped, "{0}ᵀ", self)


@dataclass(frozen=True)
class Root:
    """√x, which may be irrational and therefore stays unevaluated."""

    of: Expr

    def __str__(self) -> str:
        return f"√{self.of}" if len(self.of.terms) == 1 else f"√({self.of})"


def sqrt(x: ExprLike) -> Root:
    """√x, by which a variable can be divided."""
    return Root(Expr.of(x))


def operation(
    kind: str,
    equation: str,
    inputs: tuple[Variable, ...],
    axes: Iterable[Size],
    *,
    flops: ExprLike = 0,
    name: str = "",
    dtype: str = "",
    view: bool = False,
) -> Variable:
    """An operation of the running block with a shape and a cost of its own; all others are made of it.

    `kind` tells what it is ("fft"), `equation` what it computes; the result has these `axes`, is called `name` (or as
    its kind) and has the first input's dtype unless told. `flops` follow the convention of the column: 2 for every
    multiply-add of a product, nothing for what is elementwise. A `view` has no storage of its own.
    """
    frame = running()
    own_name = frame.unique(name or kind)
    output = Variable(own_name, axes_of(*axes), dtype or (inputs[0].dtype if inputs else "float32"))
    read = tuple(frame.views.get(tensor, tensor) for tensor in inputs)
    add_op(Op(own_name, kind, equation, read, output, Expr.of(flops), view=view))
    return write(output, SIGNS[kind], *inputs) if kind in SIGNS else output


def input_(name: str, /, *sizes: Size, dtype: str = "float32", **named: ExprLike) -> Variable:
    """An input of the model, its axes in order or by name: `input_("x", "B", "S", 512)`, `input_("x", B=4, S=3)`."""
    return operation("input", name.replace("_", " "), (), axes(*sizes, **named), name=name, dtype=dtype)


source = input_  # its earlier name


def param(name: str, /, *sizes: Size, **named: ExprLike) -> Variable:
    """A trainable weight, counted once in the block that is the first to use it."""
    return Variable(name, axes(*sizes, **named), role="param")


def buffer(name: str, /, *sizes: Size, **named: ExprLike) -> Variable:
    """A tensor that a checkpoint stores and nothing trains."""
    return Variable(name, axes(*sizes, **named), role="buffer")


def constant(name: str, /, *sizes: Size, dtype: str = "float32", **named: ExprLike) -> Variable:
    """A fixed table, no parameter."""
    return Variable(name, axes(*sizes, **named), dtype, role="constant")


def alias(x: Variable, name: str) -> Variable:
    """The same tensor under another name, as the equation of the running block has it; no step of its own."""
    renamed = Variable(name, x.axes, x.dtype, x.role)
    running().views[renamed] = running().views.get(x, x)
    return renamed


def matmul(a: Variable, b: Variable, name: str = "") -> Variable:
    """Contracts the last axis of `a` with the last but one of `b`; leading axes that are the same are united, in order.

    Leading axes are the same by name, never because they are equally long: x [4 3 5] @ W [4 5 7] is [4 4 3 7].
    Costs 2 FLOPs for every multiply-add: 2 · (elements of the result) · (inner dimension). Raises ShapeError.
    """
    *left, rows, inner = a.axes
    *right, other, columns = b.axes
    if not inner.fits(other):
        raise ShapeError(f"{shown(a)} @ {shown(b)}: inner dimensions differ, {differing(inner, other)}")
    result = (*united(lambda: f"{shown(a)} @ {shown(b)}", tuple(left), tuple(right)), rows, columns)
    flops = 2 * product(map(width, result)) * inner.size
    return operation("matmul", f"{label(a)} {label(b)}", (a, b), result, flops=flops, name=name)


def contract(a: Variable, b: Variable, over: AxisName | tuple[AxisName, ...], name: str = "") -> Variable:
    """Σ a·b over the named axes, which both have; the other axes are united by name: a's, then b's own.

    As einsum: h[B d n] and C[B n] over n give [B d], over nothing the outer product [B d n]. Costs 2 · (elements of the
    result) · (sizes of the contracted axes); over nothing it is elementwise and costs none. Raises ShapeError.
    """
    names = over if isinstance(over, tuple) else (over,)
    what = f"contract({shown(a)}, {shown(b)})"
    pairs = [(place(what, a, axis), place(what, b, axis)) for axis in names]
    if twice := {str(name) for name, pair in zip(names, pairs, strict=True) if pairs.count(pair) > 1}:
        raise ShapeError(f"{what}: contracted twice over {', '.join(sorted(twice))}; name each axis once")
    for i, j in pairs:
        if not a.axes[i].fits(b.axes[j]):
            raise ShapeError(f"{what}: inner dimensions differ, {differing(a.axes[i], b.axes[j])}")
    left = tuple(axis for i, axis in enumerate(a.axes) if i not in [i for i, _ in pairs])
    right = tuple(axis for j, axis in enumerate(b.axes) if j not in [j for _, j in pairs])
    result = united(lambda: what, left, right)
    flops = 2 * product(map(width, result)) * product(a.shape[i] for i, _ in pairs) if pairs else Expr()
    equation = f"Σ_{','.join(map(str, names))} {label(a)} {label(b)}" if pairs else f"{label(a)} ⊗ {label(b)}"
    return operation("contract", equation, (a, b), result, flops=flops, name=name)


def add(a: Variable, b: Variable, name: str = "add") -> Variable:
    """a + b, elementwise; the axes of the one must be the last ones of the other. Raises ShapeError.

    A bias, a vector of weights that is added to the product just before it, is added while the product is written.
    """
    product_before = any(isinstance(n, Op) and n.flops.terms and n.output is a for n in running().body[-1:])
    bias = product_before and b.role != "data" and len(b.axes) == 1
    result = aligned("+", a, b, a.axes, b.axes)
    return operation("add", f"{label(a)} + {label(b)}", (a, b), result, name=name, view=bias)


def multiply(a: Variable, b: Variable, name: str = "multiply") -> Variable:
    """a ⊙ b, elementwise, as `add`."""
    return operation("multiply", f"{label(a)} ⊙ {label(b)}", (a, b), aligned("⊙", a, b, a.axes, b.axes), name=name)


def apply(kind: str, equation: str, x: Variable, *others: Variable) -> Variable:
    """A function that leaves the shape as it is: an activation, a normalisation, a mask."""
    return operation(kind, equation, (x, *others), x.axes)


def softmax(x: Variable, name: str = "softmax") -> Variable:
    """softmax over the last axis."""
    return operation("softmax", f"softmax over {x.shape[-1]}", (x,), x.axes, name=name)


def lookup(table: Variable, ids: Variable) -> Variable:
    """Row `ids` of the table: [B S] → [B S d]."""
    return operation(
        "lookup", f"{label(table)}[{label(ids)}]", (table, ids), (*ids.axes, table.axes[-1]), dtype=table.dtype
    )


def reshape(kind: str, equation: str, x: Variable, *sizes: Size, name: str = "", copied: bool = False) -> Variable:
    """The elements of x, or some of them, in another shape: cut, moved or repeated, never computed with.

    It is a way of reading x unless the elements are `copied`.
    """
    return operation(kind, equation, (x,), axes(*sizes), name=name, view=not copied)


def first(x: Variable, name: str = "first") -> Variable:
    """The first of the sequence: [B S d] → [B d]."""
    *leading, _, last = x.axes
    return reshape("first", f"{label(x)}[0]", x, *leading, last, name=name)


def part(x: Variable, size: Size, name: str = "part") -> Variable:
    """Some of the last axis: [… d] → [… size]."""
    return reshape("part", f"part of {label(x)}", x, *x.axes[:-1], size, name=name)


def concatenate(a: Variable, b: Variable, name: str = "concat") -> Variable:
    """Along the last axis: [… d] and [… e] → [… d+e]; the axes before it are as for a sum. Raises ShapeError."""
    leading = aligned("∥", a, b, a.axes[:-1], b.axes[:-1])
    joined = (*leading, *axes(a.shape[-1] + b.shape[-1]))
    return operation("concatenate", f"{label(a)} ∥ {label(b)}", (a, b), joined, name=name)


def prepend(x: Variable, token: Variable, name: str = "prepend") -> Variable:
    """One more at the head of the sequence: [B S d] → [B S+1 d]."""
    *leading, rows, last = x.axes
    longer = axes(*leading, rows.size + 1, last)
    return operation("prepend", f"{label(token)} ∥ {label(x)}", (x, token), longer, name=name)


def split_heads(x: Variable, *heads: Size, name: str = "split_heads") -> Variable:
    """[B S h·d] → [B h S d]; two head counts (g, h/g) give grouped heads [B g h/g S d].

    Heads of two variables are the same if their axes are: by letters, or as one `axis("h", 4)`.
    """
    *leading, rows, last = x.axes
    counts = axes(*heads)
    split = axes(*leading, *counts, rows, last.size / product(map(width, counts)))
    return operation("split_heads", "split into heads", (x,), split, name=name, view=True)


def merge_heads(x: Variable, heads: int = 1, name: str = "merge_heads") -> Variable:
    """[B h S d] → [B S h·d], the concatenation of the heads; `heads` says how many axes they are."""
    *leading, rows, last = x.axes
    kept, counts = leading[: len(leading) - heads], leading[len(leading) - heads :]
    merged = axes(*kept, rows, product(map(width, counts)) * last.size)
    return operation("merge_heads", "concatenate heads", (x,), merged, name=name)
