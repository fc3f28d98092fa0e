"""A module that is not run, for lack of inputs: its tree of submodules with their parameters, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from torch import nn

from shapeviz.expr import Expr
from shapeviz.ir import NOTHING, Block, Op, Tensor
from shapeviz.tracing.block_tree import Tree
from shapeviz.tracing.log import Call
from shapeviz.tracing.signature import of_weights
from shapeviz.tracing.symbolic_sizes import Symbols

LETTER = "f_1"
WHY = f"{LETTER}, the FLOPs of forward, which was not traced: describe its inputs, --input 'x:float32[B,S,512]'"


def structure(module: nn.Module, symbols: Symbols) -> Block:
    """The tree of a module that never ran; submodules that are alike are counted together."""
    tree = Tree(module, {}, symbols)
    seen: set[int] = set()
    root = tree.root(_call(module, "", "", seen), ())
    nothing = Tensor(NOTHING, ())
    forward = Op("forward", "untraced", "not traced", (), nothing, flops=Expr.symbol(LETTER))
    return replace(root, output=nothing, body=(*root.body, forward))


def _call(module: nn.Module, name: str, path: str, seen: set[int]) -> Call:
    """A module and those within it, as if each had been called once. seen: the ids of modules and weights."""
    seen.update([id(module), *map(id, module.parameters(recurse=False))])
    call = Call(module, name, modules=[module], module_paths=[path])
    kinds: dict[Hashable, Call] = {}
    for inner, child in _children(module):
        if id(child) in seen:
            continue
        inner_path = f"{path}.{inner}" if path else inner
        container, _, last = inner.rpartition(".")
        kind = (container, of_weights(child)) if last.isdigit() else (inner,)
        # then some weights of it are not its own
        shared = any(id(part) in seen for part in (*child.modules(), *child.parameters()))
        if kind in kinds and not shared:
            kinds[kind].count(child, inner_path)
            seen.update(id(part) for part in (*child.modules(), *child.parameters()))
        else:
            kinds[kind] = _call(child, inner, inner_path, seen)
            call.body.append(kinds[kind])
    return call


def _children(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The submodules that a module holds itself or by way of lists and dictionaries."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _children(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child
