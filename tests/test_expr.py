"""The algebra: equality is that of mathematics, and the hash agrees with it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import oracles
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import expr, number, symbolic
from strategies import (
    SAMPLE,
    Recipe,
    any_sizes,
    extreme_recipes,
    names,
    polynomials,
    recipes,
    sizes,
    small_recipes,
    whole_recipes,
)

from shapeviz.errors import ShapevizError, SizeError
from shapeviz.expr import Expr, ceil, floor, maximum, minimum, product

B, S, T, w, h, d, k = map(Expr.symbol, ("B", "S", "T", "w", "h", "d_model", "d_k"))


def same(a: Expr, b: Expr | int | Fraction) -> bool:
    """Equal both ways, as members of a set, and as a difference."""
    return a == b and b == a and hash(a) == hash(b) and a - b == 0


# polynomials


@given(polynomials, polynomials)
def test_polynomials_are_equal_exactly_if_sympy_finds_them_equal(a: Recipe, b: Recipe) -> None:
    difference = sympy.expand(symbolic(a) - symbolic(b))
    assert (difference == 0) == (expr(a) == expr(b))


@given(polynomials)
def test_the_terms_of_a_polynomial_are_those_of_sympy(recipe: Recipe) -> None:
    expected = sympy.expand(symbolic(recipe)).as_coefficients_dict()
    actual = {
        sympy.prod(oracles.symbols([name])[name] ** power for name, power in monomial): sympy.Rational(c)
        for monomial, c in expr(recipe).terms.items()
    }
    assert {m: c for m, c in expected.items() if c} == actual


@given(small_recipes, small_recipes, small_recipes)
def test_the_laws_of_arithmetic_hold(a: Recipe, b: Recipe, c: Recipe) -> None:
    x, y, z = expr(a), expr(b), expr(c)
    assert same(x + y, y + x)
    assert same(x * y, y * x)
    assert same((x + y) + z, x + (y + z))
    assert same(x * (y + z), x * y + x * z)
    assert same(x - y, -(y - x))
    assert same(x - x, 0)


def test_a_square_is_expanded() -> None:
    # (d + 1)² = d² + 2d + 1
    assert same((d + 1) ** 2, d * d + 2 * d + 1)
    assert same((d + 1) ** 0, 1)


def test_division_by_dimensions_is_exact() -> None:
    assert same(h * (d / h), d)
    assert same(6 * d / (4 * h), Fraction(3, 2) * d * h**-1)
    assert same(S / h / h, S * h**-2)
    assert same(12 / S * S, 12)


def test_equal_expressions_count_once_in_a_set() -> None:
    assert 1 == len({ceil(S / 2), -floor(-S / 2), floor((S + 1) / 2), S - floor(S / 2)})
    assert 1 == len({minimum(S, w) + maximum(S, w), S + w})
    assert {Expr.of(3): "three"}[3] == "three"
    assert hash(Fraction(1, 2)) == hash(minimum(S, w) + maximum(S, w) - S - w + Fraction(1, 2))


def test_an_expression_is_never_equal_to_what_is_no_number() -> None:
    assert S != "S"
    assert S != None  # noqa: E711
    assert Expr.of(2) != 2.5


# min, max, floor and ceil: what holds for every expression


@given(recipes)
@settings(max_examples=300)
def test_the_normal_form_has_the_same_value(recipe: Recipe) -> None:
    x = expr(recipe)
    for at in SAMPLE:
        assert number(recipe, at) == x.normal.at(at)


@given(small_recipes, small_recipes)
def test_what_differs_somewhere_is_not_equal(a: Recipe, b: Recipe) -> None:
    if any(number(a, at) != number(b, at) for at in SAMPLE):
        assert expr(a) != expr(b)


@given(small_recipes)
def test_a_ceiling_is_the_floor_of_the_opposite(recipe: Recipe) -> None:
    x = expr(recipe)
    assert same(ceil(x), -floor(-x))


@given(whole_recipes, st.integers(2, 7))
def test_a_ceiling_is_the_floor_of_a_step_less_than_one_more(recipe: Recipe, n: int) -> None:
    x = expr(recipe)
    assert same(ceil(x / n), floor((x + n - 1) / n))
    for divisor in (B, n * B * T):  # no factors of x
        assert same(ceil(x / divisor), floor((x + divisor - 1) / divisor))


@given(whole_recipes, small_recipes)
def test_integers_leave_a_floor(whole: Recipe, recipe: Recipe) -> None:
    n, x = expr(whole), expr(recipe)
    assert same(floor(n), n)
    assert same(ceil(n), n)
    assert same(floor(x + n), floor(x) + n)
    assert same(ceil(x - n), ceil(x) - n)


@given(extreme_recipes)
def test_the_parts_of_an_integer_make_it_whole(recipe: Recipe) -> None:
    x = expr(recipe)
    assert same(floor(x / 2) + ceil(x / 2), x)
    assert same(floor(x / 2) + floor((x + 1) / 2), x)
    assert same(floor(x / 3) + floor((x + 1) / 3) + floor((x + 2) / 3), x)


@settings(max_examples=40)
@given(names, st.integers(-9, 9), st.integers(2, 4), st.integers(1, 4), st.integers(-3, 3))
def test_division_step_by_step_is_division_at_once(name: Recipe, a: int, m: int, n: int, c: int) -> None:
    for x in (expr(name) + a, maximum(expr(name), B + a)):
        # as in a stack of strided convolutions: ⌊(⌊x/m⌋ + c)/n⌋ = ⌊(x + m·c)/(m·n)⌋
        assert same(floor((floor(x / m) + c) / n), floor((x + m * c) / (m * n)))
        assert same(floor(floor(floor(x / m) / n) / 3), floor(x / (3 * m * n)))
        assert same(ceil(ceil(x / m) / T), ceil(x / (m * T)))
        assert same(floor(floor(x / T) / m), floor(x / (m * T)))


@given(small_recipes, small_recipes)
def test_the_lesser_and_the_greater_of_two_are_both(a: Recipe, b: Recipe) -> None:
    x, y = expr(a), expr(b)
    assert same(minimum(x, x), x)
    assert same(minimum(x, y), minimum(y, x))


@given(whole_recipes, polynomials)
def test_the_lesser_and_the_greater_of_two_sum_up_to_both(a: Recipe, b: Recipe) -> None:
    x, y = expr(a), expr(b)
    assert same(minimum(x, y) + maximum(x, y), x + y)
    assert same(maximum(x, y), -minimum(-x, -y))


@given(polynomials, polynomials, polynomials)
def test_min_and_max_obey_the_laws_of_a_lattice(a: Recipe, b: Recipe, c: Recipe) -> None:
    x, y, z = expr(a), expr(b), expr(c)
    assert same(minimum(x, minimum(y, z)), minimum(minimum(x, y), z))
    assert same(minimum(x, maximum(x, y)), x)
    assert same(maximum(x, minimum(x, y)), x)
    assert same(minimum(x, maximum(y, z)), maximum(minimum(x, y), minimum(x, z)))
    assert same(maximum(x, minimum(y, z)), minimum(maximum(x, y), maximum(x, z)))
    assert same(maximum(x, y, z), -minimum(-x, -y, -z))


@given(polynomials, polynomials, polynomials, st.fractions(Fraction(1, 9), 9, max_denominator=9))
def test_what_arguments_share_may_stand_outside(a: Recipe, b: Recipe, c: Recipe, factor: Fraction) -> None:
    x, y, z = expr(a), expr(b), expr(c) + floor(expr(c) / 2)
    assert same(minimum(factor * x, factor * y), factor * minimum(x, y))
    assert same(maximum(x * S / w, y * S / w), maximum(x, y) * S / w)
    assert same(minimum(x + z, y + z), minimum(x, y) + z)


def test_the_extremes_of_many_arguments_do_not_depend_on_their_order() -> None:
    names = ["a", "b", "c", "e", "f", "g", "m", "n"]
    assert same(maximum(*names), maximum(*reversed(names)))
    assert same(minimum(*names), minimum(minimum(*names[4:]), minimum(*names[:4])))


# min, max, floor and ceil: what positive integers allow


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (S, floor(S)),
        (S * (S + 1) / 2, floor(S * (S + 1) / 2)),  # one of two neighbours is even: causal attention has no half pairs
        (S * T, ceil(S * T)),
        (S * S / 2 - S / 2 + floor(S / 2), floor(S * S / 2)),  # S² - S is even
        (floor(S / 2), floor(S / 2 + Fraction(1, 3))),
        (floor(S / w), floor((2 * S + 1) / (2 * w))),
        (floor((S + T) / 2) - T, floor((S - T) / 2)),
        (1, ceil(1 / w)),
        (0, floor((w - 1) / w)),
        (0, floor((w - 1) / (w * h))),
        (1, ceil(minimum(S, w) / S)),
        (w * floor((S - 1) / w) + w, w * ceil(S / w)),
        (1, minimum(S, 1)),
        (S, maximum(S, 1)),
        (S * T, maximum(S * T, S)),
        (2 * S - 1, minimum(2 * S - 1, S * S)),  # (S - 1)² is never below zero
        (S, maximum(S, floor(S / 2))),
        (ceil(S / 2), maximum(1, ceil(S / 2))),
        (S, minimum(S, ceil(S / w) * w)),
        (2 * minimum(S, w), minimum(2 * S, 2 * w)),
        (minimum(S, 2 * w) / 2, minimum(S / 2, w)),
        (h * minimum(S, w), minimum(S * h, w * h)),
        (minimum(S, w), minimum(S, w, S + 1)),
    ],
)
def test_sizes_are_positive_integers(expected: Expr | int, actual: Expr) -> None:
    assert same(actual, expected)


def test_an_atom_may_be_divided_by() -> None:
    ratio = S / maximum(S, w)
    assert same(ratio, S / maximum(w, S))
    assert same(ratio * maximum(S, w), S)
    assert ratio != 1
    assert same(1 / ceil(S / 2), 1 / -floor(-S / 2))


@given(small_recipes, small_recipes, sizes())
def test_floor_division_is_that_of_numbers(a: Recipe, b: Recipe, at: dict[str, int]) -> None:
    x, y = number(a, at), number(b, at)
    assert x // 3 == (expr(a) // 3).at(at)
    if y:
        assert x // y == (Expr.of(x) // Expr.of(y)).at(at)


def test_the_output_of_a_strided_convolution_is_written_with_floor_division() -> None:
    size = (S - 1) // 2 + 1
    # S = 1, 2, 3, 4, 5 give 1, 1, 2, 2, 3
    assert [1, 1, 2, 2, 3] == [size.at(S=n) for n in range(1, 6)]
    assert same(size, ceil(S / 2))
    assert 3 == (7 // Expr.of(2))


# parts


@given(recipes, any_sizes)
def test_whatever_is_called_integral_is_an_integer(recipe: Recipe, at: dict[str, int]) -> None:
    if expr(recipe).integral:
        assert 1 == number(recipe, at).denominator


def test_a_polynomial_may_be_integral_though_its_coefficients_are_not() -> None:
    assert (S * (S - 1) * (S - 2) / 6).integral  # "S choose 3"
    assert (S * (S + 1) * T / 2 + T).integral
    assert not (S * (S - 1) * (S - 2) / 12).integral
    assert not (S / w).integral
    assert minimum(S, w).integral
    assert not minimum(S / 2, w).integral


@given(recipes, any_sizes, st.data())
def test_names_are_those_that_the_value_depends_on(recipe: Recipe, at: dict[str, int], data: st.DataObject) -> None:
    x = expr(recipe)
    other = {name: data.draw(st.just(size) if name in x.names else st.integers(1, 9)) for name, size in at.items()}
    assert x.at(at) == x.at(other)


@given(recipes, polynomials, sizes())
def test_a_substitution_is_evaluated_alike(recipe: Recipe, inner: Recipe, at: dict[str, int]) -> None:
    value = number(inner, at)
    if value > 0 and value.denominator == 1:
        replaced = {"S": Expr.of(value), "h": expr(("name", "w")) * 2}
        assert number(recipe, {**at, "S": value.numerator, "h": 2 * at["w"]}) == expr(recipe).subs(replaced).at(at)


@given(recipes)
def test_a_split_loses_nothing(recipe: Recipe) -> None:
    x = expr(recipe)
    inside, rest = x.split(["S", "N", "h"])
    assert inside.names <= {"S", "N", "h"}
    assert all(not term.names <= {"S", "N", "h"} for term in rest)
    assert same(inside + rest, x)
    assert same(sum(x, Expr()), x)


def test_a_product_of_nothing_is_one() -> None:
    assert same(product([]), 1)
    assert same(product(["S", 2, Fraction(1, 2), S]), S * S)


def test_a_constant_is_an_int() -> None:
    assert 7 == int(Expr.of(7))
    assert 0 == int(Expr())
    with pytest.raises(SizeError, match="S is no integer until"):
        int(S)
    with pytest.raises(SizeError, match="1/2 is no integer"):
        int(Expr.of(Fraction(1, 2)))


def test_integers_of_numpy_are_numbers_too() -> None:
    assert same(S * np.int64(3), 3 * S)
    assert same(Expr.of(np.uint8(200)) + np.uint8(100), 300)  # in 8 bits it would be 44


# mistakes


def test_a_sum_is_no_divisor() -> None:
    with pytest.raises(ShapevizError, match=r"division by the sum S \+ 1"):
        d / (S + 1)


def test_zero_is_no_divisor() -> None:
    with pytest.raises(ZeroDivisionError):
        S / (w - w)
    with pytest.raises(ZeroDivisionError):
        Expr.of(0) ** -1


@pytest.mark.parametrize(
    "name",
    ["lambda", "None", "if", "", "d-model", "3d", "d model", "new", "var", "default", "a·b", "Math", "Min", "ceiling"],
)
def test_a_dimension_needs_a_name_that_every_notation_can_use(name: str) -> None:
    with pytest.raises(SizeError, match="cannot name a dimension"):
        Expr.symbol(name)


@pytest.mark.parametrize("number", [2.0, None, [1], 1j])
def test_only_exact_numbers_make_expressions(number: object) -> None:
    with pytest.raises(TypeError):
        Expr.of(number)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        S * number  # type: ignore[operator]


def test_only_integers_are_exponents() -> None:
    with pytest.raises(TypeError):
        S**0.5  # type: ignore[operator]


def test_numbered_names_keep_apart_whatever_their_zeros() -> None:
    x7, x007 = Expr.symbol("x7"), Expr.symbol("x007")
    assert x7 != x007
    assert same(x7 * x007, x007 * x7)
    assert same(x7 + x007 - x7, x007)


def test_a_floor_without_a_value_at_ones_can_be_compared() -> None:
    # ⌊S/2⌋ is 0 at S = 1, where 1/⌊S/2⌋ is not defined; at S = 2 it is 1, and ⌊1/2⌋ = 0
    half = floor(floor(1 / floor(S / 2)) / 2)
    assert same(half, floor(floor(1 / floor(S / 2)) / 2))
    assert half != S
    assert 0 == half.at(S=2)
