"""What the backward pass needs of a described model: every operation says what it keeps, and each storage counts once.

The facts that a trace notes of a module, from the tree alone: without torch, and at no cost that grows with depth.
"""

from __future__ import annotations

from dataclasses import replace

from shapeviz.errors import InputError, nearest
from shapeviz.ir import NOTHING, Block, Model, Node, Op, Tensor
from shapeviz.saving.storages import Storages

KERNELS = {
    "eager": "every operation by itself, as PyTorch's functions compute it",
    "flash": "attention by FlashAttention, everything else by PyTorch's functions",
}
"""Implementations that are known: what is kept is a property of how a model is computed, not of the model."""

ASSUMED = "without dropout; parameters, buffers and fixed tables of positions apart; vectors that go in get a gradient"


def with_saved(model: Model, kernels: str = "eager") -> Model:
    """The model with what each operation keeps for the backward pass, in bytes of the model's dtype.

    Formulas are those of PyTorch's derivatives; of FlashAttention see Dao et al. 2022, section 3.1. A tensor that every
    run of a repeated block reads is kept once, by an operation `shared` beside it. Raises InputError for kernels that
    are not known. An operation of an unknown kind is not counted, and said to be missing.
    """
    if kernels not in KERNELS:
        raise InputError(f"kernels {kernels!r} are not known; {nearest(kernels, KERNELS)}")
    dtype = model.dtype or "float32"
    storages = Storages(model.root, dtype, flash=kernels == "flash")
    said = f"kept for the backward pass in {dtype}, each storage once; kernels {kernels}: {KERNELS[kernels]}; {ASSUMED}"
    largest = f"bytes of the largest tensor that one operation makes, in {dtype}; views are none"
    return replace(
        model,
        root=_noted(model.root, storages),
        saves=True,
        conventions={**model.conventions, "saved": f"bytes {said}", "largest": largest},
        missing={**model.missing, **storages.unknown},
    )


def _noted(block: Block, storages: Storages) -> Block:
    """The block with what its operations keep, and beside a repeated block what its runs share."""
    body: list[Node] = []
    for node in block.body:
        if isinstance(node, Op):
            made = () if node.view else tuple(map(storages.context.bytes, (node.output, *node.others)))
            body.append(replace(node, saved=tuple(storages.kept.get(node, ())), made=made))
            continue
        body.append(_noted(node, storages))
        if shared := storages.kept.get(node):
            number = sum(other.kind == "saved" for other in body) + 1
            name = "shared" if number == 1 else f"shared_{number}"
            about = f"once for all runs of {node.name}"
            body.append(Op(name, "saved", about, (), Tensor(NOTHING, ()), saved=tuple(shared)))
    return replace(block, body=tuple(body))
