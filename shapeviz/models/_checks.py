"""Whether the keys of a configuration go together: checks that families share, and what must hold at all sizes."""

from __future__ import annotations

from typing import Any

from shapeviz.blocks.activation import NAMES
from shapeviz.errors import SizeError, nearest
from shapeviz.expr import floor
from shapeviz.ir import Condition
from shapeviz.models._letters import E, g, h, k

ACTIVATION_KEYS = ("hidden_act", "hidden_activation", "activation_function", "activation", "dense_act_fn", "pooler_act")


def grouped() -> Condition:
    """g divides h."""
    return Condition("h is a multiple of g", floor(h / g) * g, "=", h, rule=True)


def chosen() -> Condition:
    """A token meets no more experts than there are."""
    return Condition("k ≤ E", k, "≤", E, rule=True)


def divides(c: Any, part: str, whole: str) -> None:
    """Raises SizeError unless the key `part` divides the key `whole`, with the nearest numbers that do."""
    small, large = getattr(c, part), getattr(c, whole)
    if small and large and large % small:
        less = next(n for n in range(min(small, large), 0, -1) if large % n == 0) if small < 10**6 else 1
        down = large - large % small
        near = " or ".join(str(n) for n in (down, down + small) if n)
        raise SizeError(
            f"{whole} = {large} is no multiple of {part} = {small}; nearest: {part} {less}, or {whole} {near}"
        )


def at_most(c: Any, part: str, whole: str) -> None:
    """Raises SizeError unless the key `part` is at most the key `whole`."""
    if getattr(c, part) > getattr(c, whole):
        raise SizeError(f"{part} = {getattr(c, part)} is more than {whole} = {getattr(c, whole)}")


def known_activations(c: Any) -> None:
    """Raises SizeError unless every key that names an elementwise function names one that is known."""
    for key in ACTIVATION_KEYS:
        known(key, getattr(c, key, None))


def known(key: str, activation: str | None) -> None:
    """Raises SizeError, with the nearest name, for an elementwise function that a key names and nobody knows."""
    if activation is not None and activation not in NAMES:
        name = activation if len(activation) <= 80 else f"{activation[:80]}…"
        raise SizeError(f"{key}: no elementwise function {name!r} is known; {nearest(activation, NAMES)}")


def usual_check(c: Any) -> None:
    """Raises SizeError for heads that do not divide the width, key/value heads the heads, an unknown activation."""
    if not getattr(c, "head_dim", None):
        divides(c, "num_attention_heads", "hidden_size")
    if getattr(c, "num_key_value_heads", None):
        divides(c, "num_key_value_heads", "num_attention_heads")
    known_activations(c)


def rotary_check(c: Any) -> None:
    """As `usual_check`, and for heads of an odd width: rotary positions turn pairs of features."""
    usual_check(c)
    if width := getattr(c, "head_dim", None):
        even("head_dim", width)
    else:
        even("hidden_size / num_attention_heads", c.hidden_size // c.num_attention_heads)


def even(text: str, width: int) -> None:
    """Raises SizeError for an odd number of features that rotary positions turn."""
    if width % 2:
        raise SizeError(f"{text} = {width}: rotary positions turn pairs of features, an even number is needed")
