"""The polynomial that a black box is: found exactly from few values, or refused with the line that is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from random import Random

import pytest
import sympy

from shapeviz.errors import InputError
from shapeviz.expr import Expr
from shapeviz.interpolation import NotPolynomialError, at_arguments, interpolate, interpolate_each
from shapeviz.interpolation.exact import newton, rank, solution

WIDE = range(1, 1000)
Terms = Mapping[tuple[int, ...], Fraction]


def valued(terms: Terms, point: Mapping[str, int]) -> Fraction:
    """The value of a polynomial, term by term."""
    return sum(c * prod(x**n for x, n in zip(point.values(), powers, strict=True)) for powers, c in terms.items())


@pytest.mark.parametrize("seed", range(12))
def test_a_sparse_polynomial_in_many_letters_is_found_with_all_its_terms(seed: int) -> None:
    random = Random(seed)
    names = [f"x{i}" for i in range(random.randint(1, 7))]
    terms = {
        tuple(random.choice((0, 0, 1, 1, 2)) for _ in names): Fraction(random.choice((-3, -1, 1, 2, 5, 12)))
        for _ in range(random.randint(1, 7))
    }
    found = interpolate(lambda point: int(valued(terms, point)), dict.fromkeys(names, WIDE))
    point = {name: random.randrange(10**6) for name in names}
    assert valued(terms, point) == (found.expr.at(point) if found.expr.terms else 0)
    assert len(terms) == len(found.expr.terms)


def test_coefficients_may_be_fractions_where_the_values_are_integers() -> None:
    # n(n + 1)/2 pairs of n things
    found = interpolate(lambda x: x["n"] * (x["n"] + 1) // 2 * x["m"], {"n": WIDE, "m": WIDE})
    assert Expr.of("n") * (Expr.of("n") + 1) * "m" / 2 == found.expr


def test_the_formula_is_the_one_that_sympy_expands() -> None:
    d, f, N, V = sympy.symbols("d f N V")
    formula = N * (4 * d * d + 3 * d * f + 2 * d) + (2 * V + 1) * d
    found = interpolate(lambda x: int(formula.subs(x)), {"d": WIDE, "f": WIDE, "V": WIDE, "N": (2, 3, 4)})
    assert sympy.expand(formula) == sympy.sympify(found.expr.python, locals={"N": N})


def test_many_formulas_share_their_points_and_a_missing_key_counts_zero() -> None:
    asked = []

    def box(x: Mapping[str, int]) -> dict[str, int]:
        asked.append(dict(x))
        return {"table": x["V"] * x["d"], "norm": 2 * x["d"]} | ({"bias": x["V"]} if x["d"] else {})

    found = interpolate_each(box, {"V": WIDE, "d": WIDE}, fresh=1)
    assert {"table": Expr.of("V") * "d", "norm": 2 * Expr.of("d"), "bias": Expr.of("V")} == found.formulas
    assert len(asked) == found.evaluations == 6  # the anchor, two more values of each letter, one fresh point
    assert Expr.of("V") * "d" + 2 * Expr.of("d") + "V" == found.expr


def test_no_more_points_are_asked_for_than_terms_and_degrees_need() -> None:
    # one term of degree 2 in S and 1 in seven others: 1 + 3 + 7·2, and three fresh points
    names = ["S", *(f"x{i}" for i in range(7))]
    found = interpolate(lambda x: x["S"] * prod(x.values()), dict.fromkeys(names, WIDE))
    assert 1 + 3 + 7 * 2 + 3 == found.evaluations
    assert {"S": 2, **dict.fromkeys(names[1:], 1)} == found.degrees


def test_the_chance_of_a_false_formula_is_the_sum_of_degrees_over_values_for_each_fresh_point() -> None:
    found = interpolate(lambda x: x["a"] ** 2 * x["b"], {"a": range(1, 1001), "b": range(1, 101)}, fresh=3)
    assert (Fraction(2, 1000) + Fraction(1, 100)) ** 3 == found.chance


def test_a_letter_with_few_values_is_checked_at_as_many_as_decide_and_enters_no_chance() -> None:
    asked: list[tuple[int, int]] = []

    def box(x: Mapping[str, int]) -> int:
        asked.append((x["N"], x["d"]))
        return x["N"] * x["d"] + 7

    found = interpolate(box, {"N": (2, 3, 4), "d": range(1, 1001)}, fresh=2)
    assert Fraction(1, 1000) ** 2 == found.chance
    assert 2 == len({N for N, _ in asked[-4:-2]}) == len({N for N, _ in asked[-2:]})
    assert asked[-4][1] == asked[-3][1] != asked[-2][1]


def test_a_formula_that_vanishes_at_an_anchor_is_found_from_another() -> None:
    anchors: list[int] = []

    def box(x: Mapping[str, int]) -> int:
        anchors.append(x["a"])
        return (x["a"] - anchors[0]) * x["b"]

    found = interpolate(box, {"a": WIDE, "b": WIDE})
    assert (Expr.of("a") - anchors[0]) * "b" == found.expr


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (
            lambda x: -(-x["V"] // 64) * 64 * x["d"],
            r"no polynomial in V of degree 8 or less: \d+ at \d+, .*; with d = ",
        ),
        (lambda x: 2 ** x["V"] * x["d"], "no polynomial in V of degree 8"),
        (lambda x: x["V"] ** 9 * x["d"], "no polynomial in V of degree 8"),
        (lambda x: min(x["V"], 500) * x["d"], "no polynomial in V of degree 8"),
        (
            lambda x: x["d"] * 3 ** x["N"],
            r"no polynomial in N of degree 1 or less: \d+ at 2, \d+ at 3, \d+ at 4; with V",
        ),
    ],
)
def test_what_is_no_polynomial_is_refused_with_the_line(box: Callable[[Mapping[str, int]], int], message: str) -> None:
    with pytest.raises(NotPolynomialError, match=message):
        interpolate(box, {"V": WIDE, "d": WIDE, "N": (2, 3, 4)})


def test_the_key_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"^wte: no polynomial in V of degree 2 or less"):
        interpolate_each(lambda x: {"wte": x["V"] ** 3, "wpe": x["V"]}, {"V": WIDE}, degree=2)


def test_what_no_line_shows_is_seen_at_a_fresh_point() -> None:
    with pytest.raises(NotPolynomialError, match=r"^no polynomial: a·b is \d+ and not \d+ at a = 9\d\d, b = "):
        interpolate(lambda x: min(x["a"], 950) * x["b"], {"a": WIDE, "b": WIDE}, fresh=200)


def test_arguments_that_depend_on_each_other_are_expressions_in_letters_that_do_not() -> None:
    def box(x: Mapping[str, int]) -> dict[str, int]:
        assert x["n_embd"] % x["n_head"] == 0
        return {"": x["n_embd"] ** 2}

    letters = {"h": range(1, 100), "d_k": range(2, 200, 2)}
    arguments = {"n_embd": Expr.of("h") * "d_k", "n_head": "h", "n_layer": 2}
    h, d_k = Expr.of("h"), Expr.of("d_k")
    assert h**2 * d_k**2 == interpolate_each(at_arguments(box, arguments), letters).expr


def test_equations_are_solved_exactly_and_contradictions_are_seen() -> None:
    rows = [[Fraction(1), Fraction(2)], [Fraction(3), Fraction(5)], [Fraction(4), Fraction(7)]]
    assert [Fraction(-9), Fraction(7)] == solution(rows, [Fraction(5), Fraction(8), Fraction(13)])
    assert solution(rows, [Fraction(5), Fraction(8), Fraction(12)]) is None
    assert 2 == rank(rows)
    assert [Fraction(1), Fraction(0), Fraction(1, 3)] == newton([0, 3, 6], [Fraction(1), Fraction(4), Fraction(13)])
