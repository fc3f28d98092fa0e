"""Where two trees of formulas part: what is equal on both sides is left out, level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shapeviz.expr import Expr, total
from shapeviz.report import Report

MOST = 6  # parts of one side that are named


@dataclass(frozen=True)
class Part:
    """A module or block, what it costs in all, and its parts."""

    path: str
    formula: Expr
    parts: tuple[Part, ...] = ()


def of_paths(own: Mapping[str, Expr], path: str = "") -> Part:
    """The tree of what every path costs by itself.

    >>> of_paths({"h.attn": Expr.of("a"), "h.mlp": Expr.of("b"), "ln": Expr.of("c")}).parts[0].formula
    Expr('a + b')
    """
    prefix = f"{path}." if path else ""
    inside = {place: cost for place, cost in own.items() if place.startswith(prefix) and place != path}
    names = dict.fromkeys(place.removeprefix(prefix).split(".")[0] for place in inside)
    parts = tuple(of_paths(own, prefix + name) for name in names)
    return Part(path, total([own.get(path, Expr()), *(part.formula for part in parts)]), parts)


def of_report(report: Report, quantity: str, free: Callable[[Expr], Expr], path: str = "") -> tuple[Part, ...]:
    """The blocks of a model within one of them, each formula as `free` writes it."""
    parts = []
    for row in report.children(path):
        cell = row.cells[quantity]
        formula = free(cell.each.expression * cell.instances.expression)
        parts.append(Part(row.path, formula, of_report(report, quantity, free, row.path)))
    return tuple(parts)


Sides = tuple[tuple[Part, ...], tuple[Part, ...]]


def unmatched(ours: Iterable[Part], theirs: Iterable[Part]) -> Sides:
    """The smallest parts found that have no equal on the other side.

    What is equal at the beginning and at the end of both sides is left out first, then what is equal anywhere. The
    parts of what is left are compared in turn, as long as some of these are equal.
    """
    left, right = _without_equals(map(_deepest, ours), map(_deepest, theirs))
    inner = [inside(one[0]) if len(one) == 1 and one[0].parts else one for one in (left, right)]
    grown = [len(parts) > 1 and parts is not one for parts, one in zip(inner, (left, right), strict=True)]
    if all(grown) or (any(grown) and len(left) + len(right) > 2):
        fewer = _without_equals(*inner)
        if sum(map(len, fewer)) < sum(map(len, inner)):
            return unmatched(*inner)
    return tuple(left), tuple(right)


def _without_equals(ours: Iterable[Part], theirs: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    left, right = ([part for part in parts if part.formula.terms] for parts in (ours, theirs))
    for end in (0, -1):
        while left and right and left[end].formula == right[end].formula:
            del left[end], right[end]
    for part in tuple(left):
        if twin := next((other for other in right if other.formula == part.formula), None):
            left.remove(part)
            right.remove(twin)
    return left, right


def _deepest(part: Part) -> Part:
    """A part, or where all that it costs is in one of its parts, that one."""
    inner = inside(part)
    return _deepest(inner[0]) if len(inner) == 1 and inner[0].path != part.path else part


def inside(part: Part) -> list[Part]:
    """The parts of a part that cost something, with what it costs by itself."""
    own = part.formula - total(inner.formula for inner in part.parts)
    return [each for each in (*part.parts, Part(part.path, own)) if each.formula.terms]


def first_difference(ours: Expr, theirs: Expr) -> Expr:
    """The first term of the difference, without its coefficient."""
    return Expr({next(iter((ours - theirs).terms)): 1})


def coefficient(formula: Expr, term: Expr) -> Expr:
    """That of a product of letters in a formula."""
    ((monomial, _),) = term.terms.items()
    return Expr.of(formula.terms.get(monomial, 0))


def named(parts: tuple[Part, ...], term: Expr) -> str:
    """`decoder.layer.attention 4, head 1`: the parts in which the term occurs, with its coefficients."""
    shares = {part.path: coefficient(part.formula, term) for part in parts}
    shown = {path: share for path, share in shares.items() if share.terms} or shares
    texts = [f"{path} {share}" for path, share in shown.items()]
    return ", ".join(texts[:MOST]) + (f" and {len(texts) - MOST} more" if len(texts) > MOST else "")
