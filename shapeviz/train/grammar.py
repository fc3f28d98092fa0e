"""Probabilistic context-free grammars: text drawn from them, its exact entropy, and the proof that it reads one way.

A rule has alternatives, each with an integer weight; an alternative is a sequence of texts and `{references}`, never
empty, and never beginning with its own rule. If no alternative of a rule can begin with what another one can give in
full, every text has one derivation (see `clash`), and so the entropy of the text is that of its derivation: a sum over
rules of visits times the entropy of their choice.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, combinations
from math import log2
from typing import Any, NamedTuple


class Reference(NamedTuple):
    """A rule's name within an alternative of another."""

    name: str


class Alternative(NamedTuple):
    """What a rule may become, and how often in proportion to its other alternatives."""

    weight: int
    parts: tuple[str | Reference, ...]


def alternative(text: str) -> Alternative:
    """`3 The {thing} is gone.` as weight and parts; without a number the weight is 1.

    >>> alternative("3 The {thing} is gone.")
    Alternative(weight=3, parts=('The ', Reference(name='thing'), ' is gone.'))
    """
    match = re.match(r"(\d+) ", text)
    weight, rest = (int(match[1]), text[match.end() :]) if match else (1, text)
    pieces = re.split(r"\{([^{}]+)\}", rest)
    parts = [Reference(piece) if place % 2 else piece for place, piece in enumerate(pieces)]
    return Alternative(weight, tuple(part for part in parts if part))


class Expectation(NamedTuple):
    """Of one draw: its expected characters (exact) and the entropy of its derivation in bits."""

    characters: Fraction
    bits: float

    @property
    def rate(self) -> float:
        """Bits per character of an endless sequence of independent draws (renewal theorem)."""
        return self.bits / float(self.characters)


class Clash(NamedTuple):
    """Two alternatives of a rule, and a text that one gives in full and the other begins with."""

    rule: str
    alternatives: tuple[int, int]
    text: str


Stack = tuple[Any, ...]  # (part, stack) or ()


@dataclass(frozen=True)
class Grammar:
    """Rules by name; `start` is what `generate` draws again and again."""

    rules: Mapping[str, tuple[Alternative, ...]]
    start: str

    def __post_init__(self) -> None:
        for name, alternatives in self.rules.items():
            if not alternatives or any(a.weight < 1 or not a.parts for a in alternatives):
                raise ValueError(f"{name}: a rule needs alternatives, and those a weight of at least 1 and some text")
            for missing in {p.name for a in alternatives for p in a.parts if isinstance(p, Reference)} - set(
                self.rules
            ):
                raise ValueError(f"{name} refers to {missing!r}, which is no rule")

    @cached_property
    def _choices(self) -> dict[str, tuple[list[int], int, list[Stack]]]:
        """Of each rule: running sums of the weights, their total, the alternatives with the last part first."""
        return {
            name: (list(accumulate(a.weight for a in found)), sum(a.weight for a in found),
                   [a.parts[::-1] for a in found])
            for name, found in self.rules.items()
        }  # fmt: skip

    def generate(self, characters: int, seed: int) -> str:
        """Whole draws of the start rule, as few as reach that many characters; the same for the same seed."""
        draw, choices = random.Random(seed).random, self._choices
        pieces: list[str] = []
        size = 0
        while size < characters:
            stack: list[Any] = [Reference(self.start)]
            while stack:
                part = stack.pop()
                if type(part) is str:
                    pieces.append(part)
                    size += len(part)
                    continue
                sums, total, alternatives = choices[part.name]
                stack += alternatives[bisect_right(sums, draw() * total)] if len(sums) > 1 else alternatives[0]
        return "".join(pieces)

    @cached_property
    def expectation(self) -> Expectation:
        """Expected characters and entropy of one draw of the start rule.

        Solves  value(rule) = own(rule) + Σ expected references · value(referred)  by elimination in exact fractions.
        Raises ValueError if a draw is expected never to end.
        """
        solved: dict[str, tuple[Fraction, float, dict[str, Fraction]]] = {}
        open_: set[str] = set()

        def solve(name: str) -> None:
            open_.add(name)
            characters, bits, times = self._own(name)
            for other in times:
                if other not in solved and other not in open_:
                    solve(other)
            while known := next((other for other in times if other in solved), None):
                factor = times.pop(known)
                more, more_bits, more_times = solved[known]
                characters, bits = characters + factor * more, bits + float(factor) * more_bits
                for other, count in more_times.items():
                    times[other] = times.get(other, Fraction()) + factor * count
            rest = 1 - times.pop(name, Fraction())
            if rest <= 0:
                raise ValueError(f"a draw of {name} is expected never to end")
            solved[name] = characters / rest, bits / float(rest), {o: c / rest for o, c in times.items()}
            open_.remove(name)

        solve(self.start)
        characters, bits, _ = solved[self.start]
        return Expectation(characters, bits)

    def _own(self, name: str) -> tuple[Fraction, float, dict[str, Fraction]]:
        """Of one visit of a rule: expected characters of its own, entropy of its choice, expected references."""
        alternatives = self.rules[name]
        total = sum(a.weight for a in alternatives)
        characters, bits = Fraction(), log2(total)
        times: dict[str, Fraction] = {}
        for weight, parts in alternatives:
            bits -= weight * log2(weight) / total
            for part in parts:
                if isinstance(part, Reference):
                    times[part.name] = times.get(part.name, Fraction()) + Fraction(weight, total)
                else:
                    characters += Fraction(weight * len(part), total)
        return characters, bits, times

    def readings(self, text: str) -> list[float]:
        """-log2 of the probability of each derivation of a text from draws of the start rule: one if it is unambiguous.

        A text that the grammar cannot give has none.
        """
        derivations: list[float] = []
        again: Stack = (Reference(self.start), ())
        todo: list[tuple[int, Stack, float]] = [(0, (), 0.0)]
        while todo:
            place, stack, bits = todo.pop()
            if not stack:
                if place == len(text):
                    derivations.append(bits)
                    continue
                stack = again
            part, rest = stack
            if isinstance(part, str):
                if text.startswith(part, place):
                    todo.append((place + len(part), rest, bits))
                continue
            total = self._choices[part.name][1]
            for weight, parts in self.rules[part.name]:
                if not isinstance(parts[0], str) or text.startswith(parts[0], place):
                    todo.append((place, _pushed(parts, rest), bits + log2(total / weight)))
        return derivations

    def clash(self) -> Clash | None:
        """None if of no two alternatives of a rule one can give a text with which the other begins.

        Then every rule gives a prefix code: texts of a sequence of references are told apart from the left, by
        induction on their derivations, and so every text, and every sequence of draws, has one derivation.
        """
        for name, alternatives in self.rules.items():
            for one, other in combinations(range(len(alternatives)), 2):
                stacks = (_pushed(alternatives[number].parts, ()) for number in (one, other))
                if (text := self._shared(*stacks)) is not None:
                    return Clash(name, (one, other), text)
        return None

    def _shared(self, one: Stack, other: Stack) -> str | None:
        """A text that one gives in full and with which the other begins, or the other way round.

        Of the same rule first in both, both read the same text, by the induction: it is passed over.
        """
        todo, seen = [(one, other, "")], {(one, other)}
        while todo:
            a, b, text = todo.pop()
            if not a or not b:
                return text
            match a[0], b[0]:
                case str(), str():
                    common = min(len(a[0]), len(b[0]))
                    pairs = [(_rest(a, common), _rest(b, common))] if a[0][:common] == b[0][:common] else []
                    text += a[0][:common]
                case Reference(), _ if a[0] == b[0]:
                    pairs, text = [(a[1], b[1])], f"{text}{{{a[0].name}}}"
                case Reference(), _:
                    pairs = [(opened, b) for opened in self._opened(a)]
                case _:
                    pairs = [(a, opened) for opened in self._opened(b)]
            todo += [(*pair, text) for pair in pairs if pair not in seen]
            seen.update(pairs)
        return None

    def _opened(self, stack: Stack) -> list[Stack]:
        """A stack with its first reference replaced by each alternative of its rule."""
        return [_pushed(parts, stack[1]) for _, parts in self.rules[stack[0].name]]


def grammar(rules: Mapping[str, Iterable[str]], start: str) -> Grammar:
    """A grammar of rules whose alternatives are written as `alternative` reads them. Raises ValueError for bad ones."""
    return Grammar({name: tuple(map(alternative, lines)) for name, lines in rules.items()}, start)


def _pushed(parts: Iterable[str | Reference], stack: Stack) -> Stack:
    for part in reversed(tuple(parts)):
        stack = (part, stack)
    return stack


def _rest(stack: Stack, characters: int) -> Stack:
    """A stack without the first characters of its first text."""
    text, rest = stack
    return (text[characters:], rest) if len(text) > characters else rest
