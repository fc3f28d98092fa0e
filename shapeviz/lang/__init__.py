"""The language: mathematics that records itself.

A model is a Python function over variables. Run under `record`, it leaves a tree of blocks and operations.
"""

from shapeviz.lang.operations import (
    Variable,
    add,
    apply,
    constant,
    lookup,
    matmul,
    merge_heads,
    multiply,
    param,
    softmax,
    source,
    split_heads,
    sqrt,
)
from shapeviz.lang.recorder import block, label, record, repeat, restate

__all__ = [
    "Variable",
    "add",
    "apply",
    "block",
    "constant",
    "label",
    "lookup",
    "matmul",
    "merge_heads",
    "multiply",
    "param",
    "record",
    "repeat",
    "restate",
    "softmax",
    "source",
    "split_heads",
    "sqrt",
]
