"""What is no polynomial: `min`, `max`, `⌊x⌋` and `⌈x⌉`, simplified as far as they stay easy to read."""

from __future__ import annotations

from collections.abc import Callable

from shapeviz.expr.lattice import undominated
from shapeviz.expr.monomial import Atom, denominator
from shapeviz.expr.polynomial import Expr, ExprLike, product


def _atom(function: str, *args: Expr) -> Expr:
    return Expr({((Atom(function, args), 1),): 1})


def _whole_and_rest(x: Expr) -> tuple[Expr, Expr]:
    """Whatever is an integer for all sizes: whole multiples of integral terms; what remains is below 1 of each."""
    if x.integral:
        return x, Expr()
    whole = Expr({m: int(c) for m, c in x.terms.items() if Expr({m: 1}).integral})
    return whole, x - whole


def floor(x: ExprLike) -> Expr:
    """⌊x⌋, with what is integral for all sizes taken out.

    >>> floor(3 * Expr.of("S") / 2 + Expr.of(3) / 2)
    Expr('S + ⌊S/2 + 1/2⌋ + 1')
    """
    whole, rest = _whole_and_rest(Expr.of(x))
    if not rest.is_constant and next(iter(rest.terms.values())) < 0:
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
    flat = [inner for arg in map(Expr.of, args) for inner in _opened(function, arg)]
    best = undominated(flat, 1 if function == "min" else -1)
    return best[0] if len(best) == 1 else _atom(function, *sorted(best, key=str))


def _opened(function: str, x: Expr) -> tuple[Expr, ...]:
    match list(x.terms.items()):
        case [(((Atom(function=inner, args=args), 1),), 1)] if inner == function:
            return args
    return (x,)


def minimum(first: ExprLike, *others: ExprLike) -> Expr:
    """The least of the arguments.

    >>> minimum("S", "w", Expr.of("S") + 1)
    Expr('min(S, w)')
    """
    return _extreme("min", (first, *others))


def maximum(first: ExprLike, *others: ExprLike) -> Expr:
    """The greatest of the arguments."""
    return _extreme("max", (first, *others))


MAKERS: dict[str, Callable[..., Expr]] = {"min": minimum, "max": maximum, "floor": floor, "ceil": ceil}


def cleared(x: Expr) -> Expr:
    """The same with the fractions taken out of `min` and `max`: min(S/3, w) = min(S, 3·w)/3."""

    def outside(atom: Atom) -> Expr:
        args = [cleared(arg) for arg in atom.args]
        if atom.function not in ("min", "max"):
            return _atom(atom.function, *args)
        powers, number = denominator([term for arg in args for term in arg.terms.items()])
        below = product(Expr.of(f) ** n for f, n in powers if isinstance(f, str)) * number
        return _atom(atom.function, *(arg * below for arg in args)) / below

    return x._rebuilt(Expr.symbol, outside)
