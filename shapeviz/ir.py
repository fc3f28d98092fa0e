"""Axis, Tensor, Op, Block, Model: frozen plain data, a tree in which every size is an expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cached_property
from operator import eq, ge, gt, index, le, lt, ne
from typing import Any, NamedTuple, TypeAlias

from shapeviz.errors import ConditionError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.layer_order import LayerOrder
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


class Condition(NamedTuple):
    """What must hold of the sizes for a formula to be theirs: a branch that was taken, and the line where.

    Where our algebra cannot write a side of it, `decides` says of numbers for `letters` whether it is met; without that
    it never is. A `rule` is one of the architecture itself: no other trace would change it.
    """

    text: str
    left: Expr | None
    sign: str
    right: Expr | None
    line: str = ""
    rule: bool = False
    letters: frozenset[str] = frozenset()
    decides: Callable[[Mapping[str, int]], bool] | None = None

    @property
    def names(self) -> frozenset[str]:
        return self.letters.union(*(side.names for side in (self.left, self.right) if side is not None))

    def holds(self, sizes: Mapping[str, Any]) -> bool:
        """True if these numbers meet it, all of them where they are arrays; false if that cannot be told."""
        if self.left is None or self.right is None:
            decides = self.decides
            return decides is not None and all(decides(point) for point in _points(self.names, sizes))
        try:
            met = _SIGNS[self.sign](self.left.at(sizes), self.right.at(sizes))
        except SizeError:  # a division by zero
            return False
        return bool(met.all() if hasattr(met, "all") else met)


def _points(names: Iterable[str], sizes: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """The numbers of these names, one set of them for every place of the arrays among them."""
    chosen = {name: sizes[name] for name in names}
    broadcast = sum(size * 0 for size in chosen.values())
    if not hasattr(broadcast, "flat"):
        yield chosen
        return
    for values in zip(*((size + broadcast).flat for size in chosen.values()), strict=True):
        yield {name: int(value) for name, value in zip(chosen, values, strict=True)}


_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {"<": lt, "≤": le, ">": gt, "≥": ge, "=": eq, "≠": ne}


def checked_size(name: str, size: Any) -> Any:
    """A size as an integer, NumPy's too, or an array of them. Raises SizeError unless all are positive integers.

    >>> checked_size("B", 3)
    3
    """
    many = hasattr(size, "dtype") and size.shape != ()
    try:
        number: Any = size if many else index(size)
        positive = bool((number > 0).all()) if many else number > 0 and not isinstance(size, bool)
    except TypeError:
        positive = False
    if not positive:
        raise SizeError(f"{name} = {size}: a positive integer is needed")
    return number


@dataclass(frozen=True)
class Sizes:
    """The numbers of a model: given values, rules that derive others, and names that mean another size.

    `fixed` says of those that cannot be changed why not, `pinned` of those that a trace took for numbers; `conditions`
    are what must hold of all of them. `long_names` are the letters' names where there is room for them: g is kv_heads.

    >>> sizes = Sizes({"d_model": 512, "h": 8}, rules={"d_k": Expr.of("d_model") / "h"}, aliases={"d_v": "d_k"})
    >>> sizes.resolve(), sizes.resolve(h=4)["d_v"]
    ({'d_model': 512, 'h': 8, 'd_k': 64, 'd_v': 64}, 128)
    """

    values: Mapping[str, int]
    rules: Mapping[str, Expr] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    long_names: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, **overrides: Any) -> dict[str, Any]:
        """All sizes, with some set anew and what derives from them derived again.

        Raises SizeError for a name that is no size of the model.
        """
        overrides = {name: checked_size(name, size) for name, size in overrides.items()}
        for name in overrides.keys() & self.fixed.keys():
            if overrides[name] != self.values[name]:
                raise SizeError(f"{name} = {self.values[name]} cannot be changed: {self.fixed[name]}")
        for name in overrides.keys() & self.pinned.keys():
            if overrides[name] != self.values[name]:
                raise ConditionError(f"{name} = {self.values[name]} is a number in this trace: {self.pinned[name]}")
        for name in overrides.keys() - self.values.keys() - self.rules.keys():
            if name in self.aliases:
                other = self.aliases[name]
                raise SizeError(f"{name} is {other} in this model: set {other}, or give the model a {name} of its own")

            raise SizeError(f"{name!r} is no size of this model; {nearest(name, self.names)}")
        sizes: dict[str, Any] = {**self.values, **overrides}
        for name, rule in self.rules.items():
            if name not in sizes:
                sizes[name] = rule.at(sizes)
                if isinstance(sizes[name], Fraction):
                    raise SizeError(f"{name} = {rule} = {sizes[name]} is no integer: give sizes that divide, or {name}")
        for name, other in self.aliases.items():
            sizes[name] = sizes[other]
        for condition in self.conditions if overrides else ():
            if not condition.holds(sizes):
                changed = ", ".join(f"{name} = {size}" for name, size in overrides.items())
                if condition.rule:
                    others = [f"{name} = {sizes[name]}" for name in sorted(condition.names - overrides.keys())]
                    raise SizeError(f"{', '.join([changed, *others])}: {condition.text} is needed")
                what = f"the trace holds for {condition.text} only, {condition.line}"
                raise ConditionError(f"{changed}: {what}; trace again at these sizes")
        return sizes

    @cached_property
    def numbers(self) -> dict[str, int]:
        """All sizes as they are."""
        sizes = self.resolve()
        return {name: sizes[name] for name in self.names}

    @property
    def names(self) -> list[str]:
        known = [*self.values, *self.rules, *self.aliases]
        return sorted(known, key=self.order.index) if self.order else known


class Door(Enum):
    """How a model came in: as sizes, as a configuration, as a PyTorch module that was traced."""

    SIZES = "sizes"
    CONFIGURATION = "configuration"
    MODULE = "module"


@dataclass(frozen=True)
class Origin:
    """What a model was made from: what a proof needs to make it once more in PyTorch.

    Of sizes and configurations: the `family`, and its keys as `config`. Of a configuration also `data`, as PyTorch's
    implementation is given it, the class, and `modules`: where that has what our paths name. Of a module its `trace`.
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
