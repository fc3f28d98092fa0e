"""Values: exact for integers of any size, and over arrays equal, element by element, to the values one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import expr, number
from strategies import NAMES, Recipe, any_sizes, recipes

from shapeviz.errors import SizeError
from shapeviz.expr import Expr, ceil, minimum

S, w, h, d = map(Expr.symbol, ("S", "w", "h", "d_model"))


@given(recipes, any_sizes)
def test_the_value_is_that_of_exact_fractions(recipe: Recipe, at: dict[str, int]) -> None:
    value = expr(recipe).at(at)
    assert number(recipe, at) == value
    assert isinstance(value, Fraction) == (number(recipe, at).denominator != 1)


@given(recipes, st.lists(any_sizes, min_size=2, max_size=4), st.sampled_from([object, "int64"]))
def test_values_over_arrays_are_the_values_one_by_one(recipe: Recipe, points: list, dtype: object) -> None:
    made = expr(recipe)
    expected = [number(recipe, at) for at in points]
    if dtype == "int64" and any(size > 2**62 for at in points for size in at.values()):
        dtype = object
    arrays = {name: np.array([at[name] for at in points], dtype=dtype) for name in NAMES}
    found = made.at(arrays)
    values = list(found) if hasattr(found, "dtype") else [found] * len(points)
    if all(value.denominator == 1 for value in expected):
        assert [int(value) for value in expected] == [int(value) for value in values]
    else:
        assert [float(value) for value in expected] == pytest.approx([float(value) for value in values])


def test_integers_may_have_any_size() -> None:
    # (10³⁰)² · 3
    assert 3 * 10**60 == (S**2 * h).at(S=10**30, h=3)


def test_a_result_that_64_bits_cannot_hold_is_exact_all_the_same() -> None:
    widths = np.array([10**6, 10**7, 1])
    assert [10**24, 10**28, 1] == list((S**4).at(S=widths))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_small_and_unsigned_integers_do_not_overflow(dtype: str) -> None:
    # 100·100 - 20_000 = -10_000 fits neither 8 bits nor an unsigned integer
    assert [-10_000] == list((S * S - 20_000).at(S=np.array([100], dtype=dtype)))


def test_arrays_are_broadcast_and_may_be_empty() -> None:
    table = (S * w).at(S=np.array([[1], [2]]), w=np.array([3, 4]))
    assert [[3, 4], [6, 8]] == table.tolist()
    assert [] == (S * w).at(S=np.array([], dtype=int), w=2).tolist()


def test_division_over_arrays_is_exact_where_it_can_be() -> None:
    assert [2, 3] == list((d / h).at(d_model=np.array([4, 6]), h=2))
    assert [2, 1] == list(ceil(d / h).at(d_model=np.array([4, 1]), h=2))
    assert [1, 2] == list(minimum(S, w).at(S=np.array([1, 5]), w=2))


def test_a_size_that_is_missing_is_named() -> None:
    with pytest.raises(SizeError, match=r"no size is given for h, w in .*"):
        (S * w + h).at(S=1)


def test_division_by_zero_is_told() -> None:
    with pytest.raises(SizeError, match="zero"):
        (S / w).at(S=1, w=0)


@pytest.mark.parametrize("wrong", [1.5, "3", None, np.array([1.5])])
def test_only_integers_are_sizes(wrong: object) -> None:
    with pytest.raises(SizeError):
        (S * w).at(S=wrong, w=2)
