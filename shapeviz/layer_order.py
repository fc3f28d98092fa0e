"""The order in which the unlike layers of a stack stand: a period of runs, whatever the depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, groupby

from shapeviz.expr import Expr, total

SHOWN = 6  # runs of a period that are written out


@dataclass(frozen=True)
class LayerOrder:
    """Runs of layers that are alike, by the name of their block, taken in turn until there are `depth` layers.

    Five sliding layers and a full one, again and again, are a period of two runs; so are the dense layers at the head
    of a mixture of experts and the layers with experts after them, which are taken once. The last period may be cut.

    >>> order = LayerOrder.of(["sliding", "sliding", "full", "sliding"], Expr.of("N"))
    >>> str(order), list(order.runs({"N": 7}))
    ('2 × sliding, 1 × full, in turn', [('sliding', 2), ('full', 1), ('sliding', 2), ('full', 1), ('sliding', 1)])
    """

    period: tuple[tuple[str, Expr], ...]
    depth: Expr

    @classmethod
    def of(cls, layers: Sequence[str], depth: Expr) -> LayerOrder:
        """The order of a list with one name for each layer: its shortest period, of which the last may be cut."""
        lengths = range(1, len(layers) + 1)
        length = next(n for n in lengths if all(layers[i] == layers[i - n] for i in range(n, len(layers))))
        runs = ((name, Expr.of(len([*alike]))) for name, alike in groupby(layers[:length]))
        return cls(tuple(runs), depth)

    @property
    def names(self) -> tuple[str, ...]:
        """Every kind of layer once, in the order in which they first stand."""
        return tuple(dict.fromkeys(name for name, _ in self.period))

    @property
    def once(self) -> bool:
        """True if the period is taken once: its runs make up all layers."""
        return total(count for _, count in self.period) == self.depth

    def runs(self, sizes: Mapping[str, object]) -> Iterator[tuple[str, int]]:
        """The layers at these sizes, first to last; neighbours of a kind are one run. As long as the stack is deep."""
        left = int(self.depth.at(sizes))
        period = [(name, int(count.at(sizes))) for name, count in self.period]

        def pieces() -> Iterator[tuple[str, int]]:
            remaining = left
            for name, count in cycle(period):
                if remaining <= 0:
                    return
                yield name, min(count, remaining)
                remaining -= count

        if sum(count for _, count in period) > 0:
            for name, alike in groupby(pieces(), key=lambda run: run[0]):
                if count := sum(count for _, count in alike):
                    yield name, count

    def counts(self, sizes: Mapping[str, object]) -> dict[str, int]:
        """How many layers of each kind there are at these sizes, at a cost that does not grow with the depth."""
        period = [(name, int(count.at(sizes))) for name, count in self.period]
        length = sum(count for _, count in period)
        whole, rest = divmod(int(self.depth.at(sizes)), length) if length else (0, 0)
        numbers = dict.fromkeys(self.names, 0)
        for name, count in period:
            numbers[name] += whole * count + min(count, rest)
            rest = max(rest - count, 0)
        return numbers

    def renamed(self, names: Mapping[str, str]) -> LayerOrder:
        """The same under other names."""
        return LayerOrder(tuple((names[name], count) for name, count in self.period), self.depth)

    def named(self, form: str) -> LayerOrder:
        """The same with each name put into a form: `"{}_layer"`."""
        return LayerOrder(tuple((form.format(name), count) for name, count in self.period), self.depth)

    def __str__(self) -> str:
        runs = [f"{count} × {name}" for name, count in self.period]
        if len(runs) > SHOWN:
            runs[SHOWN - 1 :] = [f"… {len(runs)} runs"]
        return ", ".join(runs) if self.once else ", ".join([*runs, "in turn"])
