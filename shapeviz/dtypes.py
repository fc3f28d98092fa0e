"""In which dtype the bytes of a model are counted: the letters of an element, and the words beside the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shapeviz import analyses, symbols
from shapeviz.analysis import BYTES, Analysis, Ratio
from shapeviz.ir import Block, Door, Model, width

USUAL = "float32"
UNNAMED = f"{USUAL}, since none is named"


def with_letters(model: Model, measured: Iterable[Analysis]) -> Model:
    """The model with the bytes of an element that analyses count with: those of its dtype, or else their defaults."""
    letters = {letter: size for part in measured for letter, size in part.letters.items()}
    missing = {letter: size for letter, size in letters.items() if letter not in model.sizes.names}
    if not missing:
        return model
    order = (*model.sizes.order, *missing) if model.sizes.order else ()
    bytes_of = {letter: width(model.dtype) if model.dtype else size for letter, size in missing.items()}
    legend = {**model.legend, **{letter: symbols.BY_LETTER[letter].meaning for letter in missing}}
    values = {**model.sizes.values, **bytes_of}
    return replace(model, sizes=replace(model.sizes, values=values, order=order), legend=legend)


def elements(name: str, model: Model) -> str:
    """The bytes of an element that a column counts with, and why: `; b_kv = 2 (bfloat16)`."""
    letters = {letter for part in analyses.parts(name) for letter in part.of(model).letters}
    sizes = ", ".join(f"{letter} = {model.sizes.values[letter]}" for letter in sorted(letters))
    return f"; {sizes} ({dtype_of(model) or 'no dtype is named'})" if letters else ""


def dtype_of(model: Model) -> str:
    """The dtype that a model names; of a traced module all that its parameters have; empty if nothing is named."""
    if model.origin and model.origin.door is Door.MODULE:
        return ", ".join(sorted(set(_of_parameters(model.root))))
    return model.dtype


def said(model: Model, columns: Iterable[str]) -> str:
    """The dtype in which columns count their bytes; empty for columns without any, unless a dtype was named.

    A cache whose dtype nobody names is counted in two bytes an element, which its letter says.
    """
    counted = [load for load in map(analyses.load, columns) if isinstance(load, Analysis)]
    in_bytes = [one for one in counted if one.unit == BYTES and "b_kv" not in one.letters]
    ratios = [
        one
        for one in map(analyses.load, columns)
        if isinstance(one, Ratio) and analyses.load(one.over[1]).unit == BYTES
    ]
    if not (in_bytes or ratios):
        return model.dtype
    return dtype_of(model) or UNNAMED


def _of_parameters(block: Block) -> Iterator[str]:
    yield from (weight.dtype for weight in block.params)
    for node in block.body:
        if isinstance(node, Block):
            yield from _of_parameters(node)
