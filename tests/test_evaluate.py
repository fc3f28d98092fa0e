"""Values: exact for integers of any size, and over NumPy's arrays, whatever their kind and shape."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import expr, number
from strategies import NAMES, Recipe, any_sizes, recipes, small_recipes

from shapeviz.errors import SizeError
from shapeviz.expr import Expr, ceil, floor, maximum, minimum

S, T, w, h, d = map(Expr.symbol, ("S", "T", "w", "h", "d_model"))
INT64_MAX = 2**63 - 1


# numbers


@given(recipes, any_sizes)
def test_a_value_is_that_of_the_recipe(recipe: Recipe, sizes: dict[str, int]) -> None:
    actual = expr(recipe).at(sizes)
    assert number(recipe, sizes) == actual
    assert isinstance(actual, int) == (number(recipe, sizes).denominator == 1)


def test_integers_have_any_size() -> None:
    assert 10**400 + 1 == (S**40 + 1).at(S=10**10)
    assert 10**30 == (S * T / w).at(S=10**25, T=10**25, w=10**20)
    # (10⁴⁰ + 1)/3: its floor is 333…3, and 1 more above
    assert int("3" * 40) == floor((S + 1) / 3).at(S=10**40)
    assert int("3" * 39 + "4") == ceil((S + 1) / 3).at(S=10**40)
    assert 10**40 + 1 == maximum(S, S * T / 10**40 + 1).at(S=10**40, T=10**40)


def test_what_is_no_integer_is_a_fraction() -> None:
    assert Fraction(512, 3) == (d / h).at(d_model=1024, h=6)
    # 5/2 lies above 2: the greater of two is not rounded
    assert Fraction(5, 2) == maximum(S / 2, w).at(S=5, w=2)
    assert Fraction(3, 2) == minimum(S / 2, w).at(S=3, w=2)
    assert -Fraction(1, 2) == minimum(-S / 2, -1 / w).at(S=1, w=4)


def test_sizes_come_as_a_mapping_or_as_keywords() -> None:
    assert 6 == (S * w).at({"S": 2}, w=3)
    assert 6 == (S * w).at({"S": 9, "w": 3, "unused": "?"}, S=2)
    assert 12 == (Expr.of("self") * "sizes").at(**{"self": 3, "sizes": 4})


def test_a_constant_needs_no_sizes() -> None:
    assert 5 == Expr.of(5).at()
    assert 5 == Expr.of(5).at(S=np.arange(3))


def test_a_missing_size_is_named() -> None:
    with pytest.raises(SizeError, match="no size is given for T, d_model in"):
        (S * T + ceil(d / S)).at(S=1)


@pytest.mark.parametrize(
    "size", [2.0, "2", None, Fraction(1, 2), np.array([1.0, 2.0]), np.array([True]), np.float32(2)]
)
def test_sizes_are_integers(size: Any) -> None:
    with pytest.raises(SizeError, match=r"S is .*, but sizes are integers"):
        (S + 1).at(S=size)


def test_an_array_of_objects_holds_integers_too() -> None:
    with pytest.raises(SizeError, match="S is an array of object, but sizes are integers"):
        (S + 1).at(S=np.array([1, 2.5], dtype=object))
    # as 64-bit numbers the second one would overflow
    mixed = np.array([3, np.int64(2**40)], dtype=object)
    assert [9, 2**80] == (S**2).at(S=mixed).tolist()
    assert isinstance(mixed[1], np.int64)  # what was given is left as it was


# division by zero


def test_a_division_by_zero_is_explained() -> None:
    with pytest.raises(SizeError, match=r"division by zero in 1/⌊S/2⌋"):
        (1 / floor(S / 2)).at(S=1)
    with pytest.raises(SizeError, match="division by zero in S/h"):
        (S / h).at(S=1, h=0)
    with pytest.raises(SizeError, match="division by zero in S/h"):
        ceil(S / h).at(S=1, h=0)
    with pytest.raises(SizeError, match="division by zero"):
        minimum(S / h, w).at(S=1, h=0, w=2)


def test_a_division_by_zero_somewhere_in_an_array_is_explained() -> None:
    some = np.array([1, 2, 3])
    with pytest.raises(SizeError, match=r"division by zero in 1/⌊S/2⌋"):
        (1 / floor(S / 2)).at(S=some)
    with pytest.raises(SizeError, match="division by zero in S/h"):
        floor(S / h).at(S=1, h=np.array([1, 0]))
    with pytest.raises(SizeError, match="division by zero in S/h"):
        (S / h).at(S=some, h=0)


def test_zero_is_a_size_where_nothing_is_divided_by_it() -> None:
    assert 0 == (S * T / w).at(S=0, T=5, w=5)
    assert [0, 0, 1] == floor(S / 2).at(S=np.array([0, 1, 2])).tolist()


# arrays

dtypes = st.sampled_from(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "object"])


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[Any]:
    """Sizes of any kind that NumPy has for integers, small ones most of the time."""
    kind = draw(dtypes)
    largest = 2**80 if kind == "object" else int(np.iinfo(kind).max)
    one = st.integers(1, 12) | st.integers(1, 100) | st.integers(1, largest)
    count = int(np.prod(shape))
    return np.array(draw(st.lists(one, min_size=count, max_size=count)), dtype=kind).reshape(shape)


def _values(recipe: Recipe, sizes: dict[str, Any]) -> list[Fraction]:
    """Every element on its own, by fractions."""
    broadcast = np.broadcast_arrays(*(np.array(size, dtype=object) for size in sizes.values()))
    rows = zip(*(one.ravel() for one in broadcast), strict=True)
    return [number(recipe, {name: int(size) for name, size in zip(sizes, row, strict=True)}) for row in rows]


@settings(max_examples=300)
@given(recipes | small_recipes, st.data())
def test_arrays_are_evaluated_exactly_element_by_element(recipe: Recipe, data: st.DataObject) -> None:
    x = expr(recipe)
    sizes = {name: data.draw(arrays((3,)) | arrays((3,)) | st.integers(1, 2**70)) for name in sorted(x.names)}
    sizes["unused"] = np.ones(3, dtype=int)
    actual = x.at(sizes)
    expected = _values(recipe, {**dict.fromkeys(NAMES, 1), **sizes})
    if isinstance(actual, np.ndarray):
        assert (3,) == actual.shape
        assert expected == actual.tolist()
        assert actual.dtype in (np.dtype("int64"), np.dtype(object))
    else:  # nothing in it depends on an array
        assert expected == [actual] * 3


@given(small_recipes, st.data())
def test_arrays_broadcast(recipe: Recipe, data: st.DataObject) -> None:
    x = expr(recipe)
    shapes = st.sampled_from([(), (1,), (3,), (2, 1), (2, 3)])
    sizes = {name: data.draw(shapes.flatmap(arrays)) for name in sorted(x.names)}
    actual = x.at(sizes)
    shape = np.broadcast_shapes(*(size.shape for size in sizes.values()))
    assert shape == np.shape(actual)
    expected = _values(recipe, {**dict.fromkeys(NAMES, 1), **sizes})
    assert expected == np.array(actual, dtype=object).ravel().tolist()


def test_small_numbers_stay_in_64_bits() -> None:
    actual = (S * (S + 1) / 2 + floor(S / 3)).at(S=np.arange(1, 5, dtype=np.uint8))
    # 1·2/2 + 0, 2·3/2 + 0, 3·4/2 + 1, 4·5/2 + 1
    assert [1, 3, 7, 11] == actual.tolist()
    assert np.dtype("int64") == actual.dtype


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "uint32"])
def test_small_kinds_do_not_wrap_around(kind: str) -> None:
    largest = int(np.iinfo(kind).max)  # type: ignore[type-var]
    assert [largest**2] == (S * S).at(S=np.array([largest], dtype=kind)).tolist()
    assert [largest + 1] == (S + 1).at(S=np.array([largest], dtype=kind)).tolist()
    assert [1 - largest] == (1 - S).at(S=np.array([largest], dtype=kind)).tolist()


def test_what_outgrows_64_bits_is_counted_with_integers_of_any_size() -> None:
    edge = np.array([1, INT64_MAX])
    assert [1, INT64_MAX] == S.at(S=edge).tolist()
    assert [2, INT64_MAX + 1] == (S + 1).at(S=edge).tolist()
    assert [1, INT64_MAX**3] == (S**3).at(S=edge).tolist()
    assert [2**64 - 1] == S.at(S=np.array([2**64 - 1], dtype=np.uint64)).tolist()
    # the result is small, what it is computed from is not
    assert [1] == (S**3 / T**3).at(S=np.array([2**40]), T=np.array([2**40])).tolist()
    assert [5] == (minimum(S * T, w)).at(S=edge[1:], T=edge[1:], w=5).tolist()
    assert [2] == floor(S * S / T).at(S=np.array([2**40]), T=np.array([2**79])).tolist()


@given(st.integers(2**61, 2**63 - 1), st.integers(1, 9), st.integers(-9, 9))
def test_the_edge_of_64_bits_is_crossed_without_an_error(size: int, factor: int, term: int) -> None:
    assert [factor * size + term] == (factor * S + term).at(S=np.array([size])).tolist()
    assert [min(size, factor * size + term)] == minimum(S, factor * S + term).at(S=np.array([size])).tolist()
    assert [-(-size // factor) - 2 * size] == (ceil(S / factor) - 2 * S).at(S=np.array([size])).tolist()


def test_the_least_number_of_64_bits_is_as_large_as_it_looks() -> None:
    # abs(-2⁶³) is -2⁶³ in 64 bits
    assert [2**126, 1] == (S * S).at(S=np.array([-(2**63), 1])).tolist()
    assert [2**14, 1] == (S * S).at(S=np.array([-128, 1], dtype=np.int8)).tolist()


def test_numbers_beside_arrays_may_have_any_size() -> None:
    some = np.array([1, 2])
    assert [10**30, 2 * 10**30] == (S * w).at(S=some, w=10**30).tolist()
    assert [10**30 + 1, 10**30 + 2] == (S + 10**30).at(S=some).tolist()
    assert [10**30, 10**30 // 2] == floor(w / S).at(S=some, w=10**30).tolist()
    assert [1, 2] == minimum(S, w / S).at(S=some, w=10**30).tolist()
    assert [10**30, 10**30] == maximum(S, w).at(S=some, w=10**30).tolist()


def test_quotients_in_arrays_are_fractions_unless_all_are_whole() -> None:
    whole = (d / h).at(d_model=1024, h=np.array([4, 8, 16]))
    assert [256, 128, 64] == whole.tolist()
    assert np.dtype("int64") == whole.dtype
    actual = (d / h).at(d_model=1024, h=np.array([6, 8]))
    assert [Fraction(512, 3), 128] == actual.tolist()
    # a power above 2⁵³, where a quotient in floating point would be wrong
    assert [Fraction(3**40 + 1, 2**2), Fraction(3**40 + 1, 7)] == ((S + 1) / h).at(S=3**40, h=np.array([4, 7])).tolist()


@pytest.mark.parametrize("kind", ["int64", "uint8", "object"])
def test_an_empty_array_gives_an_empty_array(kind: str) -> None:
    none = np.array([], dtype=kind)
    for x in (S, S * 10**30, S**20 + w, w / S, floor(w / S), minimum(S / 2, w), w**50 + S):
        assert (0,) == x.at(S=none, w=10**20).shape
    assert (3, 0) == (S * w).at(S=none, w=np.ones((3, 1), dtype=int)).shape


def test_a_number_of_numpy_is_a_number() -> None:
    assert 10**18 * 10**18 == (S * w).at(S=np.int64(10**18), w=np.int64(10**18))
    assert Fraction(1, 3) == (S / w).at(S=np.uint8(100), w=np.int16(300))
    assert 300 == (S + w).at(S=np.uint8(200), w=np.uint8(100))
    assert 7 == (S + 2).at(S=np.array(5))


def test_neither_numpy_nor_sympy_is_imported_for_an_expression() -> None:
    program = (
        "import sys; from shapeviz.expr import Expr, ceil; x = ceil(Expr.of('S') / 2); "
        "x.at(S=3), x == -x, hash(x), x.latex, x.javascript, x.python; "
        "print({'numpy', 'sympy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "set()\n" == done.stdout
