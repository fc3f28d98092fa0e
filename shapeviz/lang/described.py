"""What a block says of itself: the equation and the citation of its docstring, its title, the caption's sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, reduce

from shapeviz.expr import Expr
from shapeviz.ir import Axis, Tensor


def equation_of(docstring: str) -> tuple[str, str]:
    """`equation      (citation)` from the first paragraph, which may run over several lines."""
    paragraph = re.sub(r"\s*\n\s*", "  ", docstring.strip().partition("\n\n")[0])
    match = re.fullmatch(r"(.*?)\s{2,}\(([^()]*\d{4}[^()]*)\)", paragraph)
    return (match[1], match[2]) if match else (paragraph, "")


def title_of(name: str) -> str:
    """`self_attention` is shown as Self-attention, `linear_1` as Linear 1."""
    return re.sub(r"_(?=\d)", " ", name).replace("_", "-").capitalize()


@cache
def _places(template: str) -> list[tuple[str, str]]:
    """The texts of a template, each with the name that stands after it."""
    return re.findall(r"([^{]*)(?:\{([\w.]+)\})?", template)


def caption_of(template: str, arguments: Mapping[str, object]) -> tuple[str | Expr, ...]:
    """The caption in pieces, its expressions left as they are, to be given numbers when it is shown."""
    pieces: list[str | Expr] = []
    for text, name in _places(template):
        first, *fields = name.split(".")
        value = reduce(getattr, fields, arguments.get(first, ()))
        values = value if isinstance(value, tuple) else (value,)
        pieces.append(text)
        for number, item in enumerate(values):
            size = item.shape[-1] if isinstance(item, Tensor) else item.size if isinstance(item, Axis) else item
            pieces += [" → "] * bool(number) + [size if isinstance(size, Expr) else str(size)]
    return tuple(piece for piece in pieces if piece != "")
