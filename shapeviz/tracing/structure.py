"""A module that is not run, for lack of inputs: its tree of submodules with their parameters, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, Block, Op, Tensor
from shapeviz.tracing.records import Call
from shapeviz.tracing.signature import static
from shapeviz.tracing.tree import Tree

LETTER = "f_1"
WHY = f"{LETTER}, the FLOPs of forward, which was not traced: describe its inputs, --input 'x:float32[B,S,512]'"


def structure(module: nn.Module) -> Block:
    """The tree of a module that never ran; submodules that are alike are counted together."""
    tree = Tree(module, {})
    seen: set[int] = set()
    root = tree.root(_call(module, "", "", seen), ())
    nothing = Tensor(NOTHING, ())
    forward = Op("forward", "untraced", "not traced", (), nothing, flops=Expr.symbol(LETTER))
    return replace(root, output=nothing, body=(*root.body, forward))


def _call(module: nn.Module, name: str, place: str, seen: set[int]) -> Call:
    """A module and those within it, as if each had been called once."""
    seen.add(id(module))
    call = Call(module, name, members=[module], places=[place])
    kinds: dict[Hashable, Call] = {}
    for inner, child in _children(module):
        if id(child) in seen:
            continue
        where = f"{place}.{inner}" if place else inner
        container, _, last = inner.rpartition(".")
        kind = (container, static(child, lambda weight: "")) if last.isdigit() else (inner,)
        shared = any(id(m) in seen for m in child.modules())
        if kind in kinds and not shared:
            same = kinds[kind]
            same.times += 1
            same.members.append(child)
            same.places.append(where)
            seen.update(id(m) for m in child.modules())
        else:
            kinds[kind] = _call(child, inner, where, seen)
            call.body.append(kinds[kind])
    return call


def _children(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The submodules that a module holds itself or by way of lists and dictionaries."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _children(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child
