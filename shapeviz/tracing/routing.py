"""Experts that are chosen by hand, `for e in range(E): rows = where(chosen == e)`, and the sum of what they cost.

An index that `topk` or `argmax` takes of E numbers is one of 0 … E-1. Where the code looks for each of these in turn,
the tokens of expert 0, 1, … are a partition of all choices. Experts that do the same cost together what all tokens
cost, however they are divided, so that each is run with one size, all choices over E. That this is right, the log shows
in the end: every value was looked for, and what the size costs is there E times, and in proportion to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from shapeviz.expr import Expr
from shapeviz.tracing.code_site import site
from shapeviz.tracing.log import Call, Record, Step
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import Size

MOST_CLASSES = 1024
# Where the axis stands among the arguments of functions that choose along one.
CHOOSING = {"topk": 2, "argmax": 1, "argmin": 1, "max": 1, "min": 1, "sort": 1, "argsort": 1}
UNLIKE = {"topk", "sort", "argsort"}  # which choose no class twice
SAME = {"clone", "contiguous", "cpu", "detach", "int", "long", "to", "type_as"}
SAME_ELEMENTS = {"view", "reshape", "flatten", "unsqueeze", "squeeze", "transpose", "permute", "t"}


@dataclass(eq=False)
class Route:
    """Choices among some classes: how many choices there are, the size that stands for those of one class."""

    classes: int
    choices: Size
    line: str
    share: Size
    seen: set[int] = field(default_factory=set)
    within: set[Call] = field(default_factory=set)
    parts: dict[str, Route] = field(default_factory=dict)

    def told(self, share: Expr) -> str:
        """What the user is told of it."""
        return f"each of {self.classes} classes is chosen {share} times on average ({self.line}); the sum is exact"


class Tag(NamedTuple):
    """What a tensor is of a route.

    `chosen` classes; `one_hot`, with the axis of the classes; the `mask` of one class; the `number` of choices of one
    class, or of each, `counts`; `truth`, whether there are any. `along` is the axis, from the end, in which a token's
    choices lie, none of which is another's.
    """

    kind: str
    route: Route
    value: int = 0
    along: int | None = None


class Routing:
    """The tensors of a trace that choices are made of, followed from function to function."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.routes: list[Route] = []
        self._tags: dict[int, tuple[Tensor, Tag]] = {}

    def tag(self, value: object) -> Tag | None:
        """What a tensor is of a route, as long as nothing has changed it."""
        tensor, tag = self._tags.get(id(value), (None, None))
        return tag if tensor is not None and tensor._version == 0 else None

    def read(self, name: str, value: object) -> object:
        """What code gets that reads of a tensor; None where that is data."""
        tag = self.tag(value)
        match tag and tag.kind, name:
            case "number", "__bool__":
                return True
            case "truth", "__bool__" | "item":
                return bool(tag and tag.value)
            case "number", "item":
                return tag and tag.route.share
        return None

    def run(
        self, func: Callable[..., object], name: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Call
    ) -> object:
        """A function of torch, where it looks for the choices of a class with the size that stands for these."""
        tag = self.tag(args[0]) if args else None
        if tag and tag.kind == "mask" and (name == "nonzero" or (name == "where" and len(args) == 1)):
            return self._places(args[0], tag, caller, name == "where" or kwargs.get("as_tuple", False))
        if tag and tag.kind == "chosen" and name == "bincount" and kwargs.get("minlength") == tag.route.classes:
            tag.route.seen.update(range(tag.route.classes))
            tag.route.within.add(caller)
            return self._tagged(torch.empty(tag.route.classes, dtype=torch.int64), Tag("counts", tag.route))
        if name in ("__getitem__", "__setitem__"):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            masks = {i: own for i, item in enumerate(index) if (own := self.tag(item)) and own.kind == "mask"}
            if masks:
                places = [self._places(x, masks[i], caller, True) if i in masks else (x,) for i, x in enumerate(index)]
                return func(args[0], tuple(one for item in places for one in item), *args[2:])
        result = func(*args, **kwargs)
        if self.routes or name in CHOOSING or name == "multinomial":
            self._follow(name.strip("_"), tag, args, kwargs, result)
        return result

    def _places(self, mask: Tensor, tag: Tag, caller: Call, apart: bool) -> Any:
        tag.route.seen.add(tag.value)
        tag.route.within.add(caller)
        if apart:
            return tuple(torch.empty(tag.route.share, dtype=torch.int64) for _ in mask.shape)
        return torch.empty(tag.route.share, mask.dim(), dtype=torch.int64)

    def _tagged(self, value: Tensor, tag: Tag) -> Tensor:
        self._tags[id(value)] = value, tag
        return value

    def _follow(self, name: str, tag: Tag | None, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """What the result is, if it is made of choices."""
        if name in CHOOSING or name == "multinomial":
            self._choose(name, args, kwargs, result)
        elif tag and tag.kind == "counts" and name == "unbind":
            for one in result:
                self._tagged(one, Tag("number", tag.route))
        elif tag and isinstance(result, Tensor) and (made := self._made(name, tag, args, kwargs, result)):
            self._tagged(result, made)

    def _choose(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        place = CHOOSING.get(name, len(args))
        axis = kwargs.get("dim", args[place] if len(args) > place else -1 if name not in ("max", "min") else None)
        if name.startswith("arg") and name != "argsort" and len(args) <= place and "dim" not in kwargs:
            return  # of all elements
        chosen = result[1] if isinstance(result, tuple) else result
        if not isinstance(axis, int) or not isinstance(chosen, Tensor) or not args[0].dim():
            return
        classes = args[0].shape[axis]
        if type(classes) is int and 1 < classes <= MOST_CLASSES and chosen.dtype == torch.int64:
            apart = name in UNLIKE or (
                name == "multinomial" and not kwargs.get("replacement", len(args) > 2 and args[2])
            )
            along = (axis if axis < 0 else axis - chosen.dim()) if apart else None
            self._tagged(chosen, Tag("chosen", self._route(classes, chosen), along=along))

    def _route(self, classes: int, chosen: Tensor) -> Route:
        choices = chosen.numel()
        route = Route(classes, choices, site(), self.symbols.share(choices, classes))
        self.routes.append(route)
        return route

    def _made(self, name: str, tag: Tag, args: Sequence[Any], kwargs: Mapping[str, Any], result: Tensor) -> Tag | None:
        route, other = tag.route, args[1] if len(args) > 1 else None
        match tag.kind, name:
            case ("one_hot", "permute" | "transpose" | "getitem"):
                return _of_one_hot(name, tag, args, kwargs)
            case ("one_hot", _):
                return tag if name in SAME or name in ("bool", "float") else None
            case ("chosen", "getitem"):
                parts = other if isinstance(other, tuple) else (other,)
                if any(isinstance(part, Tensor) for part in parts):
                    return None
                if repr(other) not in route.parts:
                    route.parts[repr(other)] = self._route(route.classes, result)
                return Tag("chosen", route.parts[repr(other)])
            case ("chosen", "eq") if type(other) is int:
                return Tag("mask", route, other, tag.along)
            case ("chosen", "one_hot") if kwargs.get("num_classes", other) == route.classes:
                return Tag("one_hot", route, result.dim() - 1)
            case ("mask", "any" | "sum") if not kwargs and len(args) == 1:
                return Tag("number", route, tag.value)
            case ("mask", "any"):  # a token chooses no class twice; what several tokens choose overlaps
                axis = kwargs.get("dim", other)
                here = type(axis) is int and (axis if axis < 0 else axis - args[0].dim()) == tag.along
                return tag._replace(along=None) if here else None
            case ("counts", "getitem") if type(other) is int:
                return Tag("number", route, other)
            case ("number", "eq" | "ne" | "gt") if other == 0 and type(other) is int:
                return Tag("truth", route, int(name != "eq"))
        if name in SAME_ELEMENTS:
            last = tag.along == -1 and type(args[0].shape[-1]) is type(result.shape[-1]) is int
            return tag if last and args[0].shape[-1] == result.shape[-1] else tag._replace(along=None)
        return tag if name in SAME else None


def _of_one_hot(name: str, tag: Tag, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tag | None:
    """Zeros and ones with their axes in another order, or those of one class."""
    rank = args[0].dim()
    if name == "getitem":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            index = (*index[:at], *[slice(None)] * (rank - len(index) + 1), *index[at + 1 :])
        index = (*index, *[slice(None)] * (rank - len(index)))
        others = [item for i, item in enumerate(index) if i != tag.value]
        if type(index[tag.value]) is int and all(item == slice(None) for item in others):
            return Tag("mask", tag.route, index[tag.value] % tag.route.classes)
        return None
    axes = list(range(rank))
    dims = [dim % rank for dim in (args[1] if len(args) == 2 else args[1:])] if not kwargs else []
    if name == "permute" and len(dims) == rank:
        axes = dims
    elif name == "transpose" and len(dims) == 2:
        axes[dims[0]], axes[dims[1]] = dims[1], dims[0]
    else:
        return None
    return Tag("one_hot", tag.route, axes.index(tag.value))


def divided(routes: Iterable[Route], root: Call, symbols: Symbols) -> dict[str, Route]:
    """The sizes that stand for the choices of one class and give the right sum, by their letters."""
    by_letter: dict[str, list[Route]] = {}
    for route in routes:
        if route.seen:
            by_letter.setdefault(next(iter(symbols.expr(route.share).names)), []).append(route)
    undecided = symbols.undecided_shares()
    return {
        letter: own[0]
        for letter, own in by_letter.items()
        if letter not in undecided
        and all(route.seen == set(range(route.classes)) for route in own)
        and _even(root, letter, own[0].classes, set().union(*(route.within for route in own)))
    }


def _even(call: Call, letter: str, classes: int, within: set[Call]) -> bool:
    """True if all that costs by the letter is there as often as there are classes, in a call that looked for these."""
    counts: Counter[tuple[object, str]] = Counter()
    for record in call.body:
        cost = _flops(record)
        if letter not in cost.names:
            continue
        if not _proportional(cost, letter):
            return False
        if call in within:
            kind = record.kind if isinstance(record, Step) else type(record.module)
            counts[kind, str(cost)] += 1 if isinstance(record, Step) else record.runs
        elif isinstance(record, Step) or not _even(record, letter, classes, within):
            return False
    return all(count % classes == 0 for count in counts.values())


def _proportional(cost: Expr, letter: str) -> bool:
    """True if the letter stands in no power and in no function."""
    factors = [factor for monomial in cost.terms for factor in monomial]
    return all(
        power == 1
        if factor == letter
        else isinstance(factor, str) or all(letter not in arg.names for arg in factor.args)
        for factor, power in factors
    )


def _flops(record: Record) -> Expr:
    if isinstance(record, Step):
        return record.flops
    return sum((_flops(part) * (part.runs if isinstance(part, Call) else 1) for part in record.body), Expr())
