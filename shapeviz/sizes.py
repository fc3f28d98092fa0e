"""Sizes: the numbers of a model, what derives from them, and what must hold of them for its formulas to be true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from operator import eq, ge, gt, index, le, lt, ne
from typing import Any, NamedTuple

from shapeviz.errors import ConditionError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.expr.solve import solve


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
    `arguments` are names by which a size can be set that is part of them: channels, which is 2·c.

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
    arguments: Mapping[str, Expr] = field(default_factory=dict)

    def resolve(self, **overrides: Any) -> dict[str, Any]:
        """All sizes, with some set anew and what derives from them derived again.

        Raises SizeError for a name that is no size of the model.
        """
        overrides = {name: checked_size(name, size) for name, size in overrides.items()}
        overrides = self._of_arguments(overrides)
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

    def _of_arguments(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """The same with the sizes in place of arguments that they are part of."""
        found = {name: size for name, size in overrides.items() if name not in self.arguments or name in self.values}
        for name in overrides.keys() - found.keys():
            solution = solve(self.arguments[name], overrides[name]) if isinstance(overrides[name], int) else {}
            if not solution:
                raise SizeError(f"{name} = {overrides[name]}: {name} is {self.arguments[name]}, which it cannot be")
            found |= solution
        return found

    @cached_property
    def numbers(self) -> dict[str, int]:
        """All sizes as they are."""
        sizes = self.resolve()
        return {name: sizes[name] for name in self.names}

    @property
    def names(self) -> list[str]:
        known = [*self.values, *self.rules, *self.aliases]
        return sorted(known, key=self.order.index) if self.order else known
