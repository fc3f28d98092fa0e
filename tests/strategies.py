"""Random expressions and sizes.

An expression is drawn as a recipe, a tree of plain tuples such as `("+", ("name", "S"), ("number", 2))`, from which
`oracles.built` makes an Expr, a SymPy expression or a number, each without the help of the others.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import strategies as st

Recipe = tuple[Any, ...]

# Plain and unkind names: SymPy has functions and constants of its own called S, N, E, I, Q, beta and gamma.
NAMES = ("S", "N", "E", "I", "Q", "d_model", "d_k", "h", "w", "beta", "gamma", "x1", "x10")

names = st.sampled_from(NAMES).map(lambda name: ("name", name))
integers = st.integers(-12, 12).map(lambda n: ("number", n))
fractions = st.builds(Fraction, st.integers(-12, 12), st.integers(1, 6)).map(lambda n: ("number", n))
leaves = names | names | integers | fractions

# What is one term and above zero can be divided by.
_products = st.lists(names, min_size=1, max_size=2).map(lambda some: some[0] if len(some) == 1 else ("*", *some))
_rounded_up = st.tuples(st.just("ceil"), st.tuples(st.just("/"), names, st.integers(2, 5).map(lambda n: ("number", n))))
_extremes = st.tuples(st.sampled_from(["min", "max"]), names, names)
divisors = _products | _products | _rounded_up | _extremes


def _sums(inner: st.SearchStrategy[Recipe], divisors: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    return (
        st.tuples(st.sampled_from("++-**"), inner, inner)
        | st.tuples(st.just("^"), inner, st.integers(0, 3))
        | st.tuples(st.just("/"), inner, divisors)
    )


def _any(inner: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    rounded = st.tuples(st.sampled_from(["floor", "ceil"]), inner)
    extreme = st.tuples(st.sampled_from(["min", "max"]), inner, inner)
    three = st.tuples(st.sampled_from(["min", "max"]), inner, inner, inner)
    return _sums(inner, divisors) | rounded | rounded | extreme | extreme | three


polynomials = st.recursive(leaves, lambda inner: _sums(inner, _products), max_leaves=8)
recipes = st.recursive(leaves, _any, max_leaves=8)
small_recipes = st.recursive(leaves, _any, max_leaves=4)

# Integers for all sizes: sums of multiples of sizes, the lesser or the greater of some, and floors of these.
_terms = names | integers | st.tuples(st.just("*"), integers, names)
linear_recipes = st.recursive(_terms, lambda inner: st.tuples(st.just("+"), inner, inner), max_leaves=3)
extreme_recipes = linear_recipes | st.tuples(st.sampled_from(["min", "max"]), linear_recipes, linear_recipes)
_floors = st.tuples(st.just("/"), extreme_recipes, st.integers(2, 6).map(lambda n: ("number", n)))
whole_recipes = extreme_recipes | st.tuples(st.just("floor"), _floors)


def sizes(largest: int = 12) -> st.SearchStrategy[dict[str, int]]:
    """A size for every name."""
    return st.fixed_dictionaries({name: st.integers(1, largest) for name in NAMES})


any_sizes = sizes() | sizes(2) | sizes(5000) | sizes(10**30)

_random = Random(1)
# Where expressions are compared: small sizes, at which rounding matters most, and a few large ones.
SAMPLE = [
    {name: _random.randint(1, largest) for name in NAMES} for largest in [1] + [2, 3, 4, 7, 12] * 3 + [1000, 10**20]
]
