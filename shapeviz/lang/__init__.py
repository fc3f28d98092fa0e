"""The language: mathematics that records itself.

A model is a Python function over variables. Run under `record`, it leaves a tree of blocks and operations.
"""

from shapeviz.lang.axes import axis
from shapeviz.lang.operations import (
    Variable,
    add,
    apply,
    buffer,
    concatenate,
    constant,
    first,
    input_,
    lookup,
    matmul,
    merge_heads,
    multiply,
    param,
    part,
    prepend,
    reshape,
    softmax,
    source,
    split_heads,
    sqrt,
)
from shapeviz.lang.recorder import block, label, record, remember, repeat, restate, take_turns

__all__ = [
    "Variable",
    "add",
    "apply",
    "axis",
    "block",
    "buffer",
    "concatenate",
    "constant",
    "first",
    "input_",
    "label",
    "lookup",
    "matmul",
    "merge_heads",
    "multiply",
    "param",
    "part",
    "prepend",
    "record",
    "remember",
    "repeat",
    "reshape",
    "restate",
    "softmax",
    "source",
    "split_heads",
    "sqrt",
    "take_turns",
]
