"""Sizes at which a class may be tried: those that it has by default, distinct if that can be, or small usual ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

# What the names of arguments are likely to mean, and sizes that such an argument can have together with the others.
USUAL: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"^(\w+_)?N(_\w+)?$|^L$|layers?$|depths?$|blocks$|repeats?$", (2, 3, 4)),
    (r"head|^h$|^g$|group", (4, 8, 2, 16)),
    (r"expert|^E$|^k$|top", (4, 8, 2)),
    (r"kernel|^ks?$|conv|stride|dilation|pad", (3, 5, 4)),
    (r"patch", (16, 8, 4)),
    (r"image|img|resolution|height|width_px|size$", (224, 64, 256)),
    (r"class|label|out_features", (10, 1000)),
    (r"vocab|^V$|token", (1000, 5000)),
    (r"len|seq|position|context|block_size", (512, 1024)),
)
WIDTHS = (96, 192, 384, 768, 480, 576, 672, 864, 960, 1056, 1152, 1248, 1344, 1440)  # multiples of many numbers
DEPTH = re.compile(USUAL[0][0], re.IGNORECASE)
FACTORS = (2, 3, 4, 6, 5, 7, 8, 9, 10, 12)
MOST = 5  # values of a series


def admissible(letters: Sequence[str], wanted: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Sizes for all letters, the most promising ones first.

    Loops over layers are short: nothing of the size of the real model is made. The wanted sizes come first, at which
    branches go as they do in the model that is meant; then ones of which no two are alike.
    """
    known = {letter: size for letter, size in wanted.items() if letter in letters and size > 1}
    short = {letter: 2 for letter in letters if DEPTH.search(letter)}
    small = {letter: 2 for letter, size in wanted.items() if size == 1}
    start = {letter: short.get(letter) or known.get(letter) or small.get(letter) or 0 for letter in letters}
    first = _filled(start, 0)
    last_first = dict(reversed(first.items()))
    turns = (distinct(sizes, turn) for turn in range(4) for sizes in (last_first, first))
    yield from _unique({letter: sizes[letter] for letter in letters} for sizes in (first, *turns))
    if short and all(letter in known for letter in short):
        yield _filled({**start, **{letter: known[letter] for letter in short}}, 0)
    if missing := [letter for letter in letters if not start[letter]]:
        for turn in range(1, 9):
            yield distinct(_filled(start, turn), 0)
        for width in (64, 128, 256):
            yield {**_filled(start, 0), **dict.fromkeys(missing, width)}


def distinct(sizes: Mapping[str, int], turn: int = 0) -> dict[str, int]:
    """The sizes with no two alike: the later of two is multiplied, by other factors each turn.

    >>> distinct({"a": 64, "b": 64, "c": 2})
    {'a': 64, 'b': 128, 'c': 2}
    """
    found: dict[str, int] = {}
    factors = [1, *FACTORS[turn:], *FACTORS[:turn]]
    for letter, size in sizes.items():
        used = found.values()
        found[letter] = next(
            (size * factor for factor in factors if size * factor > 1 and size * factor not in used), size
        )
    return found


def _unique(choices: Iterator[dict[str, int]]) -> Iterator[dict[str, int]]:
    seen: list[dict[str, int]] = []
    for choice in choices:
        if choice not in seen:
            seen.append(choice)
            yield choice


def _filled(sizes: Mapping[str, int], turn: int) -> dict[str, int]:
    """The sizes with usual ones where none is wanted."""
    widths = [*WIDTHS[turn % len(WIDTHS) :], *WIDTHS]
    filled = {}
    for letter, size in sizes.items():
        choices = next((usual for name, usual in USUAL if re.search(name, letter, re.IGNORECASE)), None)
        filled[letter] = size or (choices[turn % len(choices)] if choices else widths.pop(0))
    return filled


def series(wanted: int | None, period: int = 1, later: int = 0, small: bool = True) -> list[tuple[int, ...]]:
    """Values that could tell how formulas depend on a letter, in the order in which they are worth a try.

    They go on to the wanted value: in steps of the period, one after the other, of two as sides of kernels, of four.
    Unless they are to be small, they begin with the wanted value.

    >>> series(7), series(26, 6)[0]
    ([(2, 3, 4, 5, 6), (3, 5, 7, 9, 11), (7, 11, 15, 19, 23)], (14, 20, 26, 32, 38))
    """
    if wanted and not small:
        return [tuple(range(wanted, wanted + MOST * step, step)) for step in (1, 2, 4)]
    steps = dict.fromkeys([*([(period, 2 * period)] * (period > 1)), (1, 2), (2, 3), (4, 4)])
    if wanted == 1:
        steps = dict.fromkeys([(1, 1), (2, 1)])
    size = wanted or 2 + later
    starts = [(least + later + (size - least - later) % step, step) for step, least in steps]
    return [tuple(range(start, start + MOST * step, step)) for start, step in starts if start <= size]
