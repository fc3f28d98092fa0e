"""Axis, Tensor, Op, Block, Model: frozen plain data, a tree in which every size is an expression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from shapeviz.expr import Expr
from shapeviz.layer_order import LayerOrder
from shapeviz.sizes import Condition as Condition
from shapeviz.sizes import Sizes as Sizes
from shapeviz.tensor import Axis as Axis
from shapeviz.tensor import Shape as Shape
from shapeviz.tensor import Tensor as Tensor
from shapeviz.tensor import is_dtype as is_dtype
from shapeviz.tensor import width as width

ONE = Expr.of(1)
NOTHING = "nothing"  # the name of a result that there is none of


@dataclass(frozen=True, eq=False)
class Op:
    """A leaf of the tree: one operation, its shape rule already applied, its cost known.

    `view` says that the output has no storage of its own: it is the first input read otherwise, or that input with the
    others added while it is written, as a bias is. A traced one also knows what its backward pass costs, the tensors it
    saves for that (what, bytes), the bytes of each tensor it made, its further outputs, and the line of code; `failed`
    marks the one that raised.
    """

    name: str
    kind: str
    equation: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    flops: Expr = field(default_factory=Expr)
    backward: Expr = field(default_factory=Expr)
    saved: tuple[tuple[str, Expr], ...] = ()
    made: tuple[Expr, ...] = ()
    others: tuple[Tensor, ...] = ()
    site: str = ""
    failed: bool = False
    view: bool = False


class Cached(NamedTuple):
    """What a block keeps for later tokens: elements for each of some tokens.

    `grows` is False for what depends on another sequence alone, as cross-attention's keys do.
    """

    what: str
    width: Expr
    tokens: Expr
    grows: bool = True


@dataclass(frozen=True, eq=False)
class Block:
    """A function of the language, called: runs `repeat` times, keeps `copies` sets of weights.

    `params` are the weights that it is the first to use, `tied` those that an earlier block owns, `buffers` what a
    checkpoint stores besides and nothing trains, `cached` what generation keeps for later tokens. Of a `routed` block
    each token meets `repeat` of the `copies`. `step` marks a block that is one step of the walk of shapes (a linear
    layer, a normalisation), `others` are its further outputs. `order` says of a stack how its unlike layers, recorded a
    kind at a time, take turns; None where they stand as they are recorded.
    """

    name: str
    kind: str
    title: str
    role: str
    equation: str
    citation: str
    caption: tuple[str | Expr, ...]
    inputs: tuple[Tensor, ...]
    output: Tensor
    params: tuple[Tensor, ...]
    tied: tuple[Tensor, ...]
    body: tuple[Node, ...]
    repeat: Expr = ONE
    copies: Expr = ONE
    step: bool = False
    others: tuple[Tensor, ...] = ()
    buffers: tuple[Tensor, ...] = ()
    cached: tuple[Cached, ...] = ()
    routed: bool = False
    order: LayerOrder | None = None

    @property
    def active(self) -> Expr:
        """The sets of weights that one token meets."""
        return self.repeat if self.routed else self.copies

    @property
    def blocks(self) -> Iterator[Block]:
        return (node for node in self.body if isinstance(node, Block))

    @property
    def ops(self) -> Iterator[Op]:
        return (node for node in self.body if isinstance(node, Op))


Node: TypeAlias = Op | Block


class Door(Enum):
    """How a model came in: as sizes, as a configuration, as a PyTorch module that was traced."""

    SIZES = "sizes"
    CONFIGURATION = "configuration"
    MODULE = "module"


@dataclass(frozen=True)
class Origin:
    """What a model was made from: what a proof needs to make it once more in PyTorch.

    Of sizes and configurations: the `family`, and its keys as `config`. Of a configuration also `data`, as PyTorch's
    implementation is given it, the class, and `modules`: where that has what our paths name. Of a module its `trace`,
    none if it was not run.
    """

    door: Door
    family: str = ""
    config: Any = None
    data: Mapping[str, object] = field(default_factory=dict)
    class_name: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    trace: Any = field(default=None, repr=False)


@dataclass(frozen=True, repr=False)
class Model:
    """A symbolic tree and the numbers that are substituted last.

    `origin` is what it was made from (None if it was written in the language), `columns` what is measured of it
    unless asked otherwise, `legend` the meaning of every symbol, `missing` says of each symbol without a number how to
    give it one, `notes` are hints for the user, `conventions` say of a column what is different in this model,
    `dtype` is that of its elements if one is named, `saves` says of a trace that it knows what the backward pass needs,
    `again` traces it at other sizes.
    """

    name: str
    title: str
    source: str
    root: Block
    sizes: Sizes
    legend: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    columns: tuple[str, ...] = ("params", "flops")
    conventions: Mapping[str, str] = field(default_factory=dict)
    dtype: str = ""
    saves: bool = False
    again: Callable[[Mapping[str, int]], Model] | None = None

    def __repr__(self) -> str:
        return f"<Model {self.title}, from {self.source}>"
