"""The size at which an expression has a value, where there is one size in it and it is linear in that."""

from __future__ import annotations

from shapeviz.expr.polynomial import Expr


def solve(x: Expr, value: int) -> dict[str, int]:
    """The only dimension of an expression that is linear in it, at which it has a value; nothing where there is none.

    >>> solve(Expr.of("c") * 2 + 1, 65), solve(Expr.of("c") * 2, 65), solve(Expr.of("a") * "b", 6)
    ({'c': 32}, {}, {})
    """
    if len(x.names) != 1:
        return {}
    (name,) = x.names
    slope, rest = x.subs({name: 1}) - x.subs({name: 0}), x.subs({name: 0})
    if slope.at() == 0 or x != slope * name + rest:
        return {}
    found = (value - rest.at()) / slope.at()
    return {name: int(found)} if found == int(found) and found > 0 else {}
