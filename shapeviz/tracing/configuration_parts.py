"""A configuration of transformers and those within it: which of their keys are letters, and what goes by the layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import cycle, islice
from typing import Any

from shapeviz.expr import Expr, floor, total
from shapeviz.layer_order import LayerOrder
from shapeviz.tracing import huggingface

NO_SIZE = re.compile(
    r"token_id|token_index|_id$|ngram|num_beams|^pretraining_tp$|^num_labels$|^chunk_size_feed_forward$"
)
KINDS = "layer_types"


@dataclass(frozen=True)
class Part:
    """A configuration, or one within it at a dotted path: its class, the keys that it is made of, and itself.

    `by_kind`: unlike layers that take turns have a letter for each kind, which says how many there are of it.
    """

    path: str
    config_class: Any
    keys: Mapping[str, Any]
    config: Any
    by_kind: bool = True

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The keys that are sizes: integers that the configuration states, or that its class has by default."""
        stated = {entry.name: self._stated(entry) for entry in fields(self.config_class) if entry.init}
        sizes = {key: value for key, value in stated.items() if type(value) is int and value > 0}
        return {key: value for key, value in sizes.items() if not NO_SIZE.search(key)}

    def _stated(self, entry: Any) -> Any:
        return getattr(self.config, entry.name, None) if self.path else self.keys.get(entry.name, entry.default)

    def _named(self, letter: str) -> str:
        """A letter of this part: those of inner ones begin with their name, text_d_model."""
        return "_".join([*(step.removesuffix("_config") for step in self.path.split(".") if step), letter])

    @cached_property
    def letters(self) -> dict[str, str]:
        """The letter of every key."""
        return {key: self._named(letter) for key, letter in huggingface.letters(self.sizes).items()}

    @cached_property
    def depth(self) -> str:
        """The key that says how many layers there are."""
        own = huggingface.letters(self.sizes)
        return next((key for key, letter in own.items() if letter == "N"), "")

    @cached_property
    def _by_layer(self) -> dict[str, list[Any]]:
        """The lists that have an entry for each layer, as the configuration or its class makes them."""
        layers = self.sizes.get(self.depth, 0)
        names = dict.fromkeys([*self.keys, *(entry.name for entry in fields(self.config_class) if entry.init)])
        lists = {name: self.keys.get(name) or getattr(self.config, name, None) for name in names}
        return {name: value for name, value in lists.items() if isinstance(value, list) and len(value) == layers > 0}

    @cached_property
    def period(self) -> int:
        """After how many layers their kinds begin anew; 1 where they are alike, or no list says it."""
        order = self._order
        return sum(int(count.at()) for _, count in order.period) if order else 1

    @cached_property
    def _order(self) -> LayerOrder | None:
        unlike = [[str(one) for one in value] for value in self._by_layer.values() if len({*map(str, value)}) > 1]
        return LayerOrder.of([" ".join(kinds) for kinds in zip(*unlike, strict=True)], Expr()) if unlike else None

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The letter of every kind of layer, if they take turns and nothing else is unlike; else none."""
        value = self._by_layer.get(KINDS, [])
        unlike = [name for name, entries in self._by_layer.items() if len({*map(str, entries)}) > 1]
        texts = all(isinstance(kind, str) for kind in value)
        if not (self.by_kind and texts and unlike == [KINDS] and 2 * self.period <= len(value) and self._goes_on()):
            return {}
        names = {kind: re.sub(r"\W", "_", str(kind).removesuffix("_attention")) for kind in value}
        return {kind: self._named(f"N_{name}") for kind, name in names.items()}

    def _goes_on(self) -> bool:
        """Whether the class orders the layers alike at other depths, where it is the class that does it."""
        if KINDS in self.keys:
            return True
        value, layers = self._by_layer[KINDS], self.sizes[self.depth]
        for more in (2 * self.period, 3 * self.period - 1, layers + 1):
            try:
                made = getattr(self.config_class(**{**self.keys, self.depth: more}), KINDS, None)
            except Exception:  # it says better what is wrong when the model is built
                return False
            if made != [*islice(cycle(value[: self.period]), more)]:
                return False
        return True

    @cached_property
    def rules(self) -> dict[str, Expr]:
        """How many layers there are of each kind, in the number of all layers: the most frequent has the rest."""
        value = self._by_layer.get(KINDS, [])[: self.period]
        if not self.kinds:
            return {}
        depth = Expr.symbol(self.letters[self.depth])
        rest = max(self.kinds, key=value.count)
        counts = {
            kind: total(floor((depth + len(value) - 1 - i) / len(value)) for i, own in enumerate(value) if own == kind)
            for kind in self.kinds if kind != rest
        }  # fmt: skip
        counts[rest] = depth - total(Expr.symbol(self.kinds[kind]) for kind in counts)
        return {self.kinds[kind]: rule for kind, rule in counts.items()}

    @property
    def arguments(self) -> dict[str, str]:
        """The letter of everything that can be set, by its dotted key; of kinds of layers by the letter itself."""
        keys = {key: letter for key, letter in self.letters.items() if not (self.kinds and key == self.depth)}
        prefix = f"{self.path}." if self.path else ""
        return {prefix + key: letter for key, letter in keys.items()} | {
            letter: letter for letter in self.kinds.values()
        }

    @property
    def numbers(self) -> dict[str, int]:
        """The letters at their sizes."""
        value = self._by_layer.get(KINDS, [])
        sizes = {letter: self.sizes[key] for key, letter in self.letters.items() if letter in self.arguments.values()}
        return sizes | {letter: value.count(kind) for kind, letter in self.kinds.items()}

    @property
    def meanings(self) -> dict[str, str]:
        """What the letters stand for."""
        of = f"{self.path} of the configuration" if self.path else "the configuration"
        words = {letter: f"{key} of {of}" for key, letter in self.letters.items()}
        return words | {letter: f"layers that are {kind}" for kind, letter in self.kinds.items()}

    def given(self, integers: Mapping[str, Any]) -> dict[str, Any]:
        """The keys with these integers for what can be set; lists by the layer as long as there are layers."""
        own = {key: integers[name] for name, key in self._keys.items() if name in integers}
        if self.kinds:
            left = {kind: int(integers[letter]) for kind, letter in self.kinds.items()}
            own |= {self.depth: sum(left.values()), KINDS: [*_in_turn(self._by_layer[KINDS][: self.period], left)]}
        elif self.depth:
            lists = {key: value for key, value in self._by_layer.items() if key in self.keys or key in self._stubborn}
            own |= {key: [*islice(cycle(value), own[self.depth])] for key, value in lists.items()}
        return {**self.keys, **own}

    @cached_property
    def _keys(self) -> dict[str, str]:
        prefix = f"{self.path}." if self.path else ""
        return {prefix + key: key for key in self.sizes}

    @cached_property
    def _stubborn(self) -> set[str]:
        """The lists by the layer that the class does not make shorter itself where there are fewer layers."""
        stated = {key: self.keys[key][:2] for key in self._by_layer if key in self.keys}
        if not self.depth or self.sizes[self.depth] < 3:
            return set()
        try:
            self.config_class(**{**self.keys, **stated, self.depth: 2})
        except Exception:  # its own lists are too long, or it says better what is wrong when the model is built
            return {*self._by_layer}
        return set()


def _in_turn(period: list[Any], left: dict[Any, int]) -> Iterator[Any]:
    """The kinds in their order, each as often as there are layers left of it."""
    while any(left.values()):
        for kind in period:
            if left[kind]:
                left[kind] -= 1
                yield kind


def parts(config: Any, config_class: Any, keys: Mapping[str, Any], by_kind: bool, path: str = "") -> Iterator[Part]:
    """A configuration and all within it."""
    yield Part(path, config_class, keys, config, by_kind)
    for name in getattr(config_class, "sub_configs", None) or {}:
        inner = getattr(config, name, None)
        if inner is not None and hasattr(inner, "to_diff_dict"):
            given = keys.get(name)
            if not isinstance(given, Mapping):  # by default it may be one of its class's with other keys
                known = {entry.name for entry in fields(type(inner)) if entry.init}
                given = {key: value for key, value in inner.to_diff_dict().items() if key in known}
            own = {"model_type": inner.model_type, **given}
            yield from parts(inner, type(inner), own, by_kind, f"{path}.{name}" if path else name)
