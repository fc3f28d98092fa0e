"""Where a wrong number comes from if it was written down wrongly: digits exchanged, lost, added or changed."""

from __future__ import annotations

from itertools import takewhile

FEWEST = 5  # digits of a number of which a run is worth naming
LONGEST = 3  # digits of such a run


def digit_origin(claimed: int, right: int) -> str:
    """What happened to the digits; empty if nothing that can be told.

    >>> digit_origin(4_645_920, 4_465_920), digit_origin(7_617_192, 7_617_024)
    ('the digits 4 and 6 are exchanged', 'all digits agree but 192, which is 024')
    """
    one, other = str(claimed), str(right)
    for origin in (_exchanged, _lost, _changed):
        if text := origin(one, other):
            return text
    return ""


def _exchanged(claimed: str, right: str) -> str:
    if len(claimed) != len(right):
        return ""
    pairs = [(c, r) for c, r in zip(claimed, right, strict=True) if c != r]
    if len(pairs) != 2 or pairs[0] != pairs[1][::-1]:
        return ""
    return f"the digits {pairs[0][1]} and {pairs[0][0]} are exchanged"


def _lost(claimed: str, right: str) -> str:
    if abs(len(claimed) - len(right)) != 1 or max(len(claimed), len(right)) < FEWEST:
        return ""
    shorter, longer = sorted((claimed, right), key=len)
    i = _alike(shorter, longer)
    if longer[:i] + longer[i + 1 :] != shorter:
        return ""
    return f"a digit {longer[i]} {'is missing' if longer == right else 'too many'}"


def _changed(claimed: str, right: str) -> str:
    if len(claimed) != len(right) or len(right) < FEWEST:
        return ""
    start = _alike(claimed, right)
    end = len(right) - _alike(claimed[::-1], right[::-1])
    if end - start > min(LONGEST, len(right) // 2):
        return ""
    return f"all digits agree but {claimed[start:end]}, which is {right[start:end]}"


def _alike(one: str, other: str) -> int:
    """How many digits agree from the start."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))
