"""What is no polynomial: `min`, `max`, `⌊x⌋` and `⌈x⌉`, simplified as far as positive integers allow."""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

from shapeviz.expr.monomial import Atom, Factor
from shapeviz.expr.polynomial import Expr, ExprLike, product


def _atom(function: str, *args: Expr) -> Expr:
    return Expr({((Atom(function, args), 1),): 1})


def _whole_and_rest(x: Expr) -> tuple[Expr, Expr]:
    """Whatever is an integer for all sizes: whole multiples of integral terms; what remains is below 1 of each."""
    whole = Expr({m: int(c) for m, c in x.terms.items() if Expr({m: 1}).integral})
    return whole, x - whole


def floor(x: ExprLike) -> Expr:
    """⌊x⌋, with what is integral for all sizes taken out.

    >>> floor(3 * Expr.of("S") / 2 + Expr.of(3) / 2)
    Expr('S + ⌊S/2 + 1/2⌋ + 1')
    """
    whole, rest = _whole_and_rest(Expr.of(x))
    if rest.terms and next(iter(rest.terms.values())) < 0 and not rest.is_constant:
        return whole - ceil(-rest)
    constant = rest.terms.get((), 0)
    extra = constant.numerator // constant.denominator
    rest -= extra
    return whole + extra + (_atom("floor", rest) if not rest.is_constant else 0)


def ceil(x: ExprLike) -> Expr:
    """⌈x⌉, with what is integral for all sizes taken out."""
    whole, rest = _whole_and_rest(Expr.of(x))
    if rest.is_constant or next(iter(rest.terms.values())) < 0:
        return whole - floor(-rest)
    constant = rest.terms.get((), 0)
    extra = -(-constant.numerator // constant.denominator)
    return whole + extra + _atom("ceil", rest - extra)


def _extreme(function: str, args: tuple[ExprLike, ...]) -> Expr:
    """`min` or `max`: arguments sorted, nested ones opened, those that can never win left out."""
    sign = 1 if function == "min" else -1
    flat: list[Expr] = []
    for arg in map(Expr.of, args):
        ((monomial, coefficient),) = arg.terms.items() if len(arg.terms) == 1 else (((), 0),)
        atom = monomial[0][0] if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 else ""
        nested = isinstance(atom, Atom) and atom.function == function
        flat += atom.args if isinstance(atom, Atom) and nested else [arg]
    best: list[Expr] = []
    for arg in flat:
        if any(_never_below(sign * (arg - other)) for other in best):
            continue
        best = [other for other in best if not _never_below(sign * (other - arg))] + [arg]
    if len(best) == 1:
        return best[0]
    return _atom(function, *sorted(best, key=str))


def _never_below(difference: Expr) -> bool:
    """True if it is ≥ 0 for all sizes of at least 1, told by the signs alone."""
    return all(c > 0 for c in difference.terms.values()) and not any(
        isinstance(f, Atom) for m in difference.terms for f, _ in m
    )


def minimum(*args: ExprLike) -> Expr:
    """The least of the arguments.

    >>> minimum("S", "w", Expr.of("S") + 1)
    Expr('min(S, w)')
    """
    return _extreme("min", args)


def maximum(*args: ExprLike) -> Expr:
    """The greatest of the arguments."""
    return _extreme("max", args)


MAKERS: dict[str, Callable[..., Expr]] = {"min": minimum, "max": maximum, "floor": floor, "ceil": ceil}


def by_floor_and_min(atom: Atom) -> Expr:
    """⌈n/D⌉ = ⌊(n + D - 1)/D⌋ for integers, and max(a, b) = a + b - min(a, b)."""
    args = [Expr(dict(arg._normal)) for arg in atom.args]
    if atom.function == "ceil":
        return floor(args[0] + 1 - 1 / denominator(args[0]))
    if atom.function == "max" and len(args) == 2:
        return args[0] + args[1] - minimum(*args)
    return MAKERS[atom.function](*args)


def denominator(x: Expr) -> Expr:
    """The least product D for which x·D has integer coefficients and no negative powers."""
    number = lcm(*(c.denominator for c in x.terms.values()))
    powers: dict[Factor, int] = {}
    for monomial in x.terms:
        for factor, power in monomial:
            powers[factor] = max(powers.get(factor, 0), -power)
    return product(Expr.of(f) ** n if isinstance(f, str) else Expr({((f, n),): 1}) for f, n in powers.items()) * number
