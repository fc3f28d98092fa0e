"""Four ways of writing an expression, each read back by what it is meant for: SymPy, Node, and the eye."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from oracles import exact, expr, number, read_by_sympy, run_javascript, symbolic
from strategies import Recipe, polynomials, recipes, sizes

from shapeviz.expr import Expr, ceil, floor, maximum, minimum, notation

d, k, h, S, w = map(Expr.symbol, ("d_model", "d_k", "h", "S", "w"))


@given(polynomials)
def test_sympy_reads_the_python_text_of_a_polynomial_as_that_polynomial(recipe: Recipe) -> None:
    assert sympy.expand(symbolic(recipe) - read_by_sympy(expr(recipe).python)) == 0


@given(recipes, sizes())
def test_sympy_reads_the_python_text_and_finds_the_exact_value(recipe: Recipe, at: dict[str, int]) -> None:
    read = sympy.sympify(expr(recipe).python, locals={name: sympy.Symbol(name) for name in at})
    assert number(recipe, at) == exact(sympy.sympify(read).subs(at))


@given(recipes, sizes())
def test_factored_text_is_the_same_expression(recipe: Recipe, at: dict[str, int]) -> None:
    text = expr(recipe).written(notation.SYMPY, factored=True)
    read = sympy.sympify(text, locals={name: sympy.Symbol(name) for name in at})
    assert number(recipe, at) == exact(sympy.sympify(read).subs(at))


@settings(max_examples=5)
@given(recipes)
def test_latex_has_balanced_braces_and_delimiters(recipe: Recipe) -> None:
    text = expr(recipe).latex
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")


def test_node_evaluates_the_javascript_text() -> None:
    recipes_ = [
        ("+", ("*", ("name", "S"), ("name", "h")), ("number", 3)),
        ("ceil", ("/", ("name", "S"), ("name", "w"))),
        ("min", ("name", "S"), ("max", ("name", "w"), ("number", 4))),
        ("/", ("^", ("name", "d_model"), 2), ("name", "h")),
        ("floor", ("/", ("+", ("name", "S"), ("number", 1)), ("number", 2))),
    ]
    at = [{"S": s, "w": v, "h": 4, "d_model": 8 * s} for s in (1, 5, 64) for v in (1, 3, 16)]
    found = run_javascript([expr(recipe).javascript for recipe in recipes_], at)
    assert [[float(number(recipe, point)) for point in at] for recipe in recipes_] == found


@pytest.mark.parametrize(
    ("made", "text", "latex"),
    [
        (4 * d**2, "4·d_model²", r"4 \cdot d_{\mathrm{model}}^{2}"),
        (d / h, "d_model/h", r"\frac{d_{\mathrm{model}}}{h}"),
        (d * k + k, "d_model·d_k + d_k", r"d_{\mathrm{model}} \cdot d_{k} + d_{k}"),
        (S - 1, "S - 1", "S - 1"),
        (-S, "-S", "-S"),
        (Expr(), "0", "0"),
        (S**12, "S¹²", "S^{12}"),
        (minimum(S, w), "min(S, w)", r"\min\left(S, w\right)"),
        (maximum(S, w), "max(S, w)", r"\max\left(S, w\right)"),
        (floor(S / 2), "⌊S/2⌋", r"\left\lfloor \frac{S}{2} \right\rfloor"),
        (ceil(S / w), "⌈S/w⌉", r"\left\lceil \frac{S}{w} \right\rceil"),
        (Expr.of("N_enc") * 2, "2·N_enc", r"2 \cdot N_{\mathrm{enc}}"),
    ],
)
def test_text_and_latex_are_written_as_on_paper(made: Expr, text: str, latex: str) -> None:
    assert (text, latex) == (str(made), made.latex)


def test_what_all_terms_share_stands_before_a_bracket_and_no_lone_one_in_it() -> None:
    assert "3·h·(d_model·d_k + d_k)" == (3 * h * (d * k + k)).written(notation.TEXT, factored=True)


def test_a_substitution_puts_numbers_in_place_of_names() -> None:
    way = notation.substituted({"h": 6, "d_model": 1024, "d_k": 128})
    assert "3 × 6 × (1024 × 128 + 128)" == (3 * h * (d * k + k)).written(way, factored=True)
    assert "S × 6" == (S * h).written(way)
