"""`min` and `max`: which of two expressions is never below the other, and the one way to write those that cross.

Sizes are integers of at least 1. Where a polynomial is positive cannot be decided in general (for integers that is
Hilbert's tenth problem): False means "not known", and these rules are sound rather than complete.

Expressions with `min` and `max` are a distributive lattice, in which every element is the greatest of least ones
(Birkhoff, Lattice Theory, chapter II): a `Form`. Such a greatest is written by `min` alone, by the identity of maximums
and minimums, max(a, b, c) = a + b + c - min(a, b) - min(a, c) - min(b, c) + min(a, b, c), inclusion and exclusion on a
line. What "crosses" are arguments each of which is the least somewhere: min(S + T, w + T) = min(S, w) + T.

A form asks for the canonical one by `Expr.normal`, and that one compares by the functions here; each time of what
stands inside an atom, so that it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, product
from math import prod
from typing import Any

from shapeviz.expr.integrality import content, is_integer, linear, step
from shapeviz.expr.polynomial import Atom, Expr, ExprLike, Monomial, Number, term_rank

Form = list[list[Expr]]
"""The greatest of the least of expressions that are no `min` or `max` themselves."""

FEW = 5  # so many lists in a Form are written as a sum of 2⁵ - 1 terms
MANY = 16  # so many cases are told apart


def minimum(first: ExprLike, *others: ExprLike) -> Expr:
    """The least of the arguments.

    >>> minimum("S", "w", Expr.of("S") + 1)
    Expr('min(S, w)')
    """
    return _of("min", (first, *others))


def maximum(first: ExprLike, *others: ExprLike) -> Expr:
    """The greatest of the arguments."""
    return _of("max", (first, *others))


def _of(function: str, args: tuple[ExprLike, ...]) -> Expr:
    """`min` or `max`: arguments sorted, nested ones opened, those that can never win left out."""
    flat = [inner for arg in map(Expr.of, args) for inner in _opened(function, arg)]
    best = undominated(flat, 1 if function == "min" else -1)
    return best[0] if len(best) == 1 else Expr.atom(function, *sorted(best, key=str))


def _opened(function: str, x: Expr) -> tuple[Expr, ...]:
    match list(x.terms.items()):
        case [(((Atom(function=inner, args=args), 1),), 1)] if inner == function:
            return args
    return (x,)


def positive(x: Expr) -> bool:
    """True if it is known to be above zero.

    >>> S = Expr.of("S")
    >>> positive(S**2 - 2 * S + 2)  # with S = S' + 1 it is S'² + 1
    True
    """
    x = x / content([x])
    return any(all(map(_one_positive, least)) for least in (form(x) if x.atoms else [[x]]))


def _one_positive(x: Expr) -> bool:
    """⌊y⌋ lies above y - 1, by at least 1/D if y·D is an integer, and not above y.

    ⌊S/2⌋ + 1 - S/2 is positive since ⌊S/2⌋ ≥ S/2 - 1 + 1/2.
    """
    for atom in x.atoms:
        parts = linear(x, atom) if atom.function == "floor" else None
        if parts:
            (k, r), (y,) = parts, atom.args
            return (never_below(k) and positive(k * (y - 1 + step(y)) + r)) or (never_below(-k) and positive(k * y + r))
    return not x.atoms and _positive_polynomial(x / content([x]))


def _positive_polynomial(x: Expr) -> bool:
    """With S = S' + 1 and so on, S' ≥ 0: no negative term, and a positive constant, which is the value at ones."""
    if sum(x.terms.values()) <= 0:
        return False
    if any(c < 0 for c in x.terms.values()):
        x = x.subs({name: Expr.symbol(name) + 1 for name in x.names})
    return all(c > 0 for c in x.terms.values())


def never_below(x: Expr) -> bool:
    """True if it is known to be at least zero: for an integer the same as to be above -1."""
    x = x / content([x])
    return not x.terms or (is_integer(x) and positive(x + 1))


def undominated(args: Iterable[Expr], sign: int = 1) -> list[Expr]:
    """The arguments of a `min` (of a `max`, if the sign is -1) without those that never win."""
    best: list[Expr] = []
    for arg in args:
        if not any(never_below(sign * (arg - other)) for other in best):
            best = [other for other in best if not never_below(sign * (other - arg))] + [arg]
    return best


def form(x: Expr) -> Form:
    """The expression as the greatest of the least of others: k·min(a, b) + r = min(k·a + r, k·b + r) for k ≥ 0.

    >>> form(minimum("S", maximum("w", "T")))  # = max(min(S, T), min(S, w))
    [[Expr('S'), Expr('T')], [Expr('S'), Expr('w')]]
    """
    same = x.normal
    if not any(atom.function == "min" for atom in same.atoms):
        return [[same]]
    if cases(x) <= MANY:
        for atom in x.atoms:
            parts = linear(x, atom) if atom.function in ("min", "max") else None
            if parts and (sign := never_below(parts[0]) - never_below(-parts[0])):
                forms = [form(parts[0] * arg + parts[1]) for arg in atom.args]
                return _least(forms) if (atom.function == "min") == (sign > 0) else _greatest(forms)
    return [[same]]


def cases(x: Expr) -> int:
    """How many ways there are to choose an argument of every `min` and `max`."""
    return prod(sum(map(cases, atom.args)) for atom in x.atoms if atom.function in ("min", "max"))


def _greatest(forms: list[Form]) -> Form:
    return _absorbed([least for one in forms for least in one])


def _least(forms: list[Form]) -> Form:
    """min(max(a, b), c) = max(min(a, c), min(b, c))."""
    return _absorbed([[x for least in chosen for x in least] for chosen in product(*forms)])


def _absorbed(lists: Form) -> Form:
    """Without the lists whose least is never above that of another."""
    kept: Form = []
    for new in map(undominated, lists):
        if not any(_never_above(new, old) for old in kept):
            kept = [old for old in kept if not _never_above(old, new)] + [new]
    return kept


def _never_above(least: list[Expr], other: list[Expr]) -> bool:
    return all(any(never_below(y - x) for x in least) for y in other)


def extreme(function: str, args: Iterable[Expr]) -> Expr:
    """The `min` or `max` written by `min` alone: max(a, b) = a + b - min(a, b), and so on for more.

    >>> S, w = Expr.of("S"), Expr.of("w")
    >>> extreme("max", [S, w])
    Expr('S + w - min(S, w)')
    """
    opposite = "max" if function == "min" else "min"
    for sign, kind in ((1, function), (-1, opposite)):
        forms = [form(sign * arg) for arg in args]
        if kind == "max" or prod(map(len, forms)) <= MANY:
            lists = _least(forms) if kind == "min" else _greatest(forms)
            if len(lists) <= FEW:
                return sign * _sum(lists)
    sign = 1 if function == "min" else -1
    return sign * _crossing([sign * arg.normal for arg in args])


def _sum(lists: Form) -> Expr:
    total = Expr()
    for n in range(1, len(lists) + 1):
        for chosen in combinations(lists, n):
            total += (-1) ** (n + 1) * _crossing(undominated(x for least in chosen for x in least))
    return total


def _crossing(args: list[Expr]) -> Expr:
    """The least of arguments none of which is never below another, with what they share taken out.

    >>> S, T, w = map(Expr.of, "STw")
    >>> _crossing([2 * S * T + 1, 2 * w * T + 1])
    Expr('2·T·min(S, w) + 1')
    """
    if len(args) == 1:
        return args[0]
    shared, most = _side(args, min), _side(args, max)
    mirrored = [most - arg for arg in args]
    args = [arg - shared for arg in args]
    if 2 < len(args) <= FEW and _orders(mirrored) < _orders(args):
        return most - _sum([[arg] for arg in mirrored])  # min(a + b, a + c, b + c) = a + b + c - max(a, b, c)
    scale = content(args)
    args = sorted((arg / scale for arg in args), key=order)
    return shared + scale * Expr.atom("min", *args)


def _side(args: list[Expr], side: Callable[[Iterator[Number]], Number]) -> Expr:
    """The least, or the greatest, coefficients in any argument."""
    monomials: dict[Monomial, None] = {m: None for arg in args for m in arg.terms}
    return Expr({m: side(arg.terms.get(m, 0) for arg in args) for m in monomials})


def order(x: Expr) -> tuple[Any, ...]:
    """The simplest first."""
    return len(x.terms), [(term_rank(m), c < 0, abs(c)) for m, c in x.terms.items()]


def _orders(args: list[Expr]) -> list[tuple[Any, ...]]:
    return sorted(map(order, args))
