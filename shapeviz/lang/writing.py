"""How the running block's equation writes a tensor: composed of the operations and the blocks that made it."""

from __future__ import annotations

import re
from functools import cache
from typing import TypeVar

from shapeviz.ir import Tensor
from shapeviz.lang.recorder import Term, label, restate, running

__all__ = ["state", "write", "written"]

T = TypeVar("T", bound=Tensor)
SUM, RATIO, PRODUCT = range(3)  # how strongly a text's weakest sign binds


def written(tensor: Tensor) -> str:
    """The tensor as an equation of the running block writes it: `softmax(Q Kᵀ / √d_k) V`.

    A weight has its own name, an argument of the block the argument's, and the result of a call that says no term the
    name of the call.
    """
    frame = running()
    term = frame.terms.get(tensor)
    if term is None:
        return label(tensor) if tensor.role == "data" else tensor.name
    return "".join(_placed(term, name, needed) if name else text for text, name, needed in _pieces(term.template))


def write(tensor: T, template: str, *parts: Tensor) -> T:
    """Has the running block's equation write the tensor so: `write(y, "max(0, {0})", x)`; gives the tensor back."""
    running().terms[tensor] = Term(template, {str(number): part for number, part in enumerate(parts)})
    return tensor


def state(left: str, y: T, citation: str = "") -> T:
    """Makes `left` = y the running block's equation, y as it is written, and gives y back: `state("FFN(x)", y)`.

    As by `restate`, an equation without a citation of its own has none.
    """
    restate(f"{left} = {written(y)}", citation)
    return y


def _placed(term: Term, name: str, needed: int) -> str:
    """The part of that name, in parentheses where it binds more weakly than what stands beside it."""
    if name not in term.parts:
        return f"{{{name}}}"
    text = written(term.parts[name])
    return f"({text})" if _strength(text) < needed else text


@cache
def _pieces(template: str) -> tuple[tuple[str, str, int], ...]:
    """The texts of a template, and the names in its places with how strongly each must bind there."""
    pieces, end = list[tuple[str, str, int]](), 0
    for place in re.finditer(r"\{(\w+)\}", template):
        before = re.split(r"[(\[,;]| [+-] ", template[: place.start()])[-1]
        after = re.split(r"[)\],;]| [+-] ", template[place.end() :])[0]
        needed = _strength(f"{before}x{after}") if (before + after).strip() else SUM
        pieces += [(template[end : place.start()], "", SUM), ("", place[1], needed)]
        end = place.end()
    return (*pieces, (template[end:], "", SUM))


@cache
def _strength(text: str) -> int:
    """That of the weakest sign outside of all brackets: a b + c is a SUM, a ⊙ b and a / b are RATIOs."""
    while (outer := re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", "", text)) != text:
        text = outer
    if re.search(r" [+-] ", text):
        return SUM
    return RATIO if re.search(r" [⊙/] ", text) else PRODUCT
