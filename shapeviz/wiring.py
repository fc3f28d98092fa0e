"""Which block feeds which, and in what role: along the stack, around a sublayer, or from the encoder to every layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shapeviz.ir import ONE, Block, Node, Shape, Tensor


class Wire(NamedTuple):
    """An edge into a node: the path it comes from (the outermost that does not hold the reader), its shape and role.

    The role is `data`, `residual` (a sum's way around a sublayer) or `memory` (read anew by every repetition).
    """

    source: str
    role: str
    dims: Shape


def wires(root: Block) -> dict[Node, tuple[Wire, ...]]:
    """The wires into every node of the tree; weights and constants are none."""
    paths = dict(_paths(root, ""))
    makers: dict[Tensor, list[str]] = {}
    for node, path in paths.items():
        for output in (node.output, *node.others):
            makers.setdefault(output, []).append(path)
    carried = _carried(root, frozenset())
    upstream = _upstream(root)

    def wire(node: Node, tensor: Tensor) -> Wire:
        path = paths[node] + "."
        source = next((p for p in makers.get(tensor, ()) if not path.startswith(p + ".")), "")
        others = [t for t in node.inputs if t is not tensor]
        role = "data"
        # one term of the sum is made from the other, which therefore goes around what makes it (He et al. 2016, fig. 2)
        if not isinstance(node, Block) and node.kind == "add" and any(tensor in upstream.get(t, ()) for t in others):
            role = "residual"
        elif tensor in carried.get(node, ()):
            role = "memory"
        return Wire(source, role, tensor.shape)

    data = {node: [t for t in node.inputs if t.role == "data"] for node in paths}
    return {node: tuple(wire(node, tensor) for tensor in tensors) for node, tensors in data.items()}


def _paths(block: Block, prefix: str) -> Iterator[tuple[Node, str]]:
    """Every node with its path, the outer ones first."""
    for node in block.body:
        yield node, prefix + node.name
        if isinstance(node, Block):
            yield from _paths(node, f"{prefix}{node.name}.")


def _carried(block: Block, outside: frozenset[Tensor]) -> dict[Node, frozenset[Tensor]]:
    """For every node in a repeated block: the tensors that come from outside, the same for each repetition."""
    carried: dict[Node, frozenset[Tensor]] = {}
    for node in block.body:
        carried[node] = outside
        if isinstance(node, Block):
            # a repetition hands its first input on to the next one; the others all repetitions read anew
            inside = frozenset(node.inputs[1:]) if node.repeat != ONE else outside
            carried |= _carried(node, inside)
    return carried


def _upstream(root: Block) -> dict[Tensor, set[Tensor]]:
    """For every tensor, all that it was computed from, through the operations of the tree."""
    sources: dict[Tensor, set[Tensor]] = {}
    ops = [node for node, _ in _paths(root, "") if not isinstance(node, Block)]
    for op in ops:
        upstream = set(op.inputs).union(*(sources.get(tensor, ()) for tensor in op.inputs))
        sources.update(dict.fromkeys((op.output, *op.others), upstream))
    return sources
