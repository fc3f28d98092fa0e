"""Where a wrong shape comes from: an axis repeated, dropped or exchanged, or the value of another size in place."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.claims.findings import Finding
from shapeviz.claims.tree import Tree

Shape = tuple[int, ...]


def shape_origin(finding: Finding, tree: Tree) -> str:
    """The most specific origin that can be told; empty if none."""
    row, claimed = tree.rows[finding.paths[0]], finding.found
    axes = [f"{size} = {number}" for size, number in zip(row.dims, row.shape, strict=True)]
    for origin in (_exchanged, _too_many, _dropped, _in_place):
        if text := origin(claimed, finding.expected, axes, lambda number: _named(number, finding, tree)):
            return text
    inputs = [wire.source for wire in row.inputs if wire.source in tree.rows]
    source = next((path for path in inputs if tree.rows[path].shape == claimed), "")
    return f"that is the shape of its input, {source}" if source else ""


Naming = Callable[[int], str]


def _exchanged(claimed: Shape, right: Shape, axes: list[str], _: Naming) -> str:
    if sorted(claimed) != sorted(right):
        return ""
    differing = [axis for axis, one, other in zip(axes, claimed, right, strict=True) if one != other]
    if len(differing) > 2:
        return "the axes are in another order"
    return f"the axes {' and '.join(differing)} are exchanged"


def _too_many(claimed: Shape, right: Shape, axes: list[str], named: Naming) -> str:
    for i, number in enumerate(claimed):
        if claimed[:i] + claimed[i + 1 :] == right:
            if claimed[i + 1 : i + 2] == (number,):
                return f"the axis {axes[i]} is written twice"
            return f"one axis too many, {number}" + (f" ({named(number)})" if named(number) else "")
    return ""


def _dropped(claimed: Shape, right: Shape, axes: list[str], _: Naming) -> str:
    dropped = [axes[i] for i in range(len(right)) if right[:i] + right[i + 1 :] == claimed]
    return f"the axis {' or '.join(dict.fromkeys(dropped))} is missing" if dropped else ""


def _in_place(claimed: Shape, right: Shape, axes: list[str], named: Naming) -> str:
    differing = [i for i, (one, other) in enumerate(zip(claimed, right, strict=False)) if one != other]
    if len(claimed) != len(right) or len(differing) != 1:
        return ""
    number = claimed[differing[0]]
    return f"{number} is {named(number)}: it stands in place of {axes[differing[0]]}" if named(number) else ""


def _named(number: int, finding: Finding, tree: Tree) -> str:
    """What a number is called: in this shape if it is there, else in the model."""
    row = tree.rows[finding.paths[0]]
    own = [str(size) for size, value in zip(row.dims, row.shape, strict=True) if value == number and size.names]
    return " or ".join(list(dict.fromkeys(own or tree.names.get(number, [])))[:3])
