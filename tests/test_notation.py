"""The ways of writing: every text, read again by what it is for, is the expression."""

from __future__ import annotations

import re
from fractions import Fraction

import oracles
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import expr, number, symbolic
from strategies import NAMES, SAMPLE, Recipe, polynomials, recipes, whole_recipes

from shapeviz.expr import Expr, ceil, floor, maximum, minimum, notation

S, T, w, h, d, k = map(Expr.symbol, ("S", "T", "w", "h", "d_model", "d_k"))
AFFINE = 3 * h * (d * k + k)
SMALL = [sizes for sizes in SAMPLE if max(sizes.values()) <= 12]


# the same expression, four times

EXAMPLES = [
    (Expr(), "0", "0", "0", "0"),
    (Expr.of(-7), "-7", "-7", "-7", "-7"),
    (Expr.of(Fraction(-2, 3)), "-2/3", r"-\frac{2}{3}", "-2/3", "-2/3"),
    (4 * d**2, "4·d_model²", r"4 \cdot d_{\mathrm{model}}^{2}", "4*d_model**2", "4*d_model**2"),
    (-(S**2), "-S²", "-S^{2}", "-S**2", "-(S**2)"),
    (S - w, "S - w", "S - w", "S - w", "S - w"),
    (-S - 1, "-S - 1", "-S - 1", "-S - 1", "-S - 1"),
    (S**12, "S¹²", "S^{12}", "S**12", "S**12"),
    (d / h, "d_model/h", r"\frac{d_{\mathrm{model}}}{h}", "d_model/h", "d_model/h"),
    (1 / h**2, "1/h²", r"\frac{1}{h^{2}}", "1/h**2", "1/h**2"),
    (3 * S / (2 * h), "3·S/(2·h)", r"\frac{3 \cdot S}{2 \cdot h}", "3*S/(2*h)", "3*S/(2*h)"),
    (S / 2 + w / 3, "S/2 + w/3", r"\frac{S}{2} + \frac{w}{3}", "S/2 + w/3", "(3*S + 2*w)/6"),
    (minimum(S, w), "min(S, w)", r"\min\left(S, w\right)", "Min(S, w)", "Math.min(S, w)"),
    (maximum(S, w) ** 2, "max(S, w)²", r"\max\left(S, w\right)^{2}", "Max(S, w)**2", "Math.max(S, w)**2"),
    (
        w * ceil(S / w),
        "w·⌈S/w⌉",
        r"w \cdot \left\lceil \frac{S}{w} \right\rceil",
        "w*ceiling(S/w)",
        "w*Math.ceil(S/w)",
    ),
    (
        floor(S / 2 + w / 3),
        "⌊S/2 + w/3⌋",
        r"\left\lfloor \frac{S}{2} + \frac{w}{3} \right\rfloor",
        "floor(S/2 + w/3)",
        "Math.floor((3*S + 2*w)/6)",
    ),
    (
        T / minimum(S, w),
        "T/min(S, w)",
        r"\frac{T}{\min\left(S, w\right)}",
        "T/Min(S, w)",
        "T/Math.min(S, w)",
    ),
]


@pytest.mark.parametrize(("x", "text", "latex", "python", "javascript"), EXAMPLES, ids=[row[1] for row in EXAMPLES])
def test_an_expression_is_written_as_in_a_paper(x: Expr, text: str, latex: str, python: str, javascript: str) -> None:
    assert text == str(x)
    assert f"Expr({text!r})" == repr(x)
    assert latex == x.latex
    assert python == x.python
    assert javascript == x.javascript


def test_factors_come_in_the_order_of_papers() -> None:
    factors = (d, Expr.of("d_ff10"), Expr.of("d_ff2"), h, S, Expr.of("B"), Expr.of("N"), k, Expr.of(2))
    product = Expr.of(1)
    for factor in factors:
        product *= factor
    assert "2·B·N·S·h·d_model·d_ff2·d_ff10·d_k" == str(product)


# what all terms share, taken out


@pytest.mark.parametrize(
    ("expected", "x"),
    [
        ("3·h·(d_model·d_k + d_k)", AFFINE),  # a weight and its bias: the 1 of d_model + 1 is written as what it is
        ("2·(S·T + d_model)", 2 * S * T + 2 * d),
        ("d_model·(2·h + d_model)", d * d + 2 * d * h),
        ("S + 1", S + 1),
        ("-S - w", -S - w),
        ("-2·S·(T + w)", -2 * S * T - 2 * S * w),
        ("(S² + S)/2", S * (S + 1) / 2),
        ("(d_model + d_k)/h", d / h + k / h),
        ("S·(T + w)/(2·h)", S * T / (2 * h) + S * w / (2 * h)),
        ("S/2 + w/3", S / 2 + w / 3),
        ("5·S", 5 * S),
        ("0", Expr()),
    ],
)
def test_common_factors_may_be_taken_out(expected: str, x: Expr) -> None:
    assert expected == x.written(notation.TEXT, factored=True)


def test_a_fraction_bar_needs_no_brackets() -> None:
    assert r"\frac{S^{2} + S}{2}" == (S * (S + 1) / 2).written(notation.LATEX, factored=True)
    assert r"\frac{S \cdot (T + w)}{2}" == (S * T / 2 + S * w / 2).written(notation.LATEX, factored=True)


def test_a_substitution_shows_numbers_in_place_of_known_names() -> None:
    way = notation.substituted({"h": 6, "d_model": 1024, "d_k": 128})
    # 3·h·(d_model·d_k + d_k)
    assert "3 × 6 × (1024 × 128 + 128)" == AFFINE.written(way, factored=True)
    assert "S × 1024²/6" == (S * d**2 / h).written(way)


# read again


@given(polynomials)
def test_sympy_reads_a_polynomial_as_the_same(recipe: Recipe) -> None:
    x, expected = expr(recipe), symbolic(recipe)
    for text in (x.python, x.written(notation.SYMPY, factored=True)):
        assert 0 == sympy.expand(oracles.read_by_sympy(text) - expected)


@given(recipes)
def test_sympy_evaluates_any_expression_exactly(recipe: Recipe) -> None:
    x = expr(recipe)
    for text in (x.python, x.written(notation.SYMPY, factored=True)):
        for sizes in SAMPLE[:6]:
            numbers = {name: sympy.Integer(size) for name, size in sizes.items()}
            assert number(recipe, sizes) == oracles.exact(sympy.sympify(text, locals=numbers), {})


# SymPy 1.14 takes Min(S, S/Min(S, N)) for S, so nothing is divided by an atom here.
@settings(max_examples=60)
@given(st.tuples(st.sampled_from("+*-"), whole_recipes, polynomials), st.booleans())
def test_sympy_reads_an_expression_as_the_same_function(recipe: Recipe, positive: bool) -> None:
    plain = {name: sympy.Symbol(name) for name in NAMES}
    x = expr(recipe)
    for text in (x.python, x.written(notation.SYMPY, factored=True)):
        read = sympy.sympify(text, locals=oracles.symbols() if positive else plain)
        assert {symbol.name for symbol in read.free_symbols} <= x.names
        for sizes in SAMPLE[:4]:
            assert number(recipe, sizes) == oracles.exact(read, sizes)


@settings(max_examples=20)
@given(st.data())
def test_sympy_agrees_that_atoms_are_what_they_are(data: st.DataObject) -> None:
    a, b = (data.draw(st.sampled_from(NAMES)) for _ in "ab")
    known = oracles.symbols()
    x, y = Expr.of(a), Expr.of(b)
    for expected, actual in [
        (sympy.Min(known[a], known[b]), minimum(x, y)),
        (sympy.Max(known[a], 2 * known[b]), maximum(x, 2 * y)),
        (sympy.floor(known[a] / known[b]), floor(x / y)),
        (sympy.ceiling(known[a] / 2), ceil(x / 2)),
    ]:
        assert expected == oracles.read_by_sympy(actual.python)


def test_names_that_mean_something_to_sympy_survive() -> None:
    names = ["S", "N", "E", "I", "Q", "O", "C", "beta", "gamma", "zeta", "pi", "oo", "lambda_", "sqrt", "Symbol", "re"]
    x = Expr.of(1)
    for name in names:
        x = x * name
    x = x / 3 + 1
    read = sympy.sympify(x.python, locals=oracles.symbols(names))
    assert set(names) == {symbol.name for symbol in read.free_symbols}
    # the product of 16 twos, a third of it, and 1
    assert Fraction(2**16, 3) + 1 == oracles.exact(read, dict.fromkeys(names, 2))


def test_javascript_gives_the_same_numbers() -> None:
    found: list[Recipe] = []

    @settings(max_examples=150, database=None, derandomize=True)
    @given(recipes)
    def collect(recipe: Recipe) -> None:
        found.append(recipe)

    collect()
    texts = [
        text for recipe in found for text in (expr(recipe).javascript, expr(recipe).written(notation.JAVASCRIPT, True))
    ]
    expected = [[number(recipe, sizes) for sizes in SMALL] for recipe in found for _ in range(2)]
    for text, row, actual in zip(texts, expected, oracles.run_javascript(texts, SMALL), strict=True):
        for exact, value in zip(row, actual, strict=True):
            if abs(exact) < 2**40 and exact.denominator == 1:
                assert pytest.approx(int(exact), rel=1e-12, abs=1e-9) == value, text


def test_javascript_rounds_no_quotient_before_it_takes_the_floor() -> None:
    # 1/10 + 7/10 + 2/10 is 0.9999999999999999 in floating point, and 1/49·49 is not 1
    x = floor((S + 9 * T) / 10) + floor(S / 10 + 7 * T / 10 + 2 * w / 10) + 49 * floor(minimum(S / 49, T / 7) * 49)
    sizes = [{"S": a, "T": b, "w": c} for a in (1, 2, 29, 49) for b in (1, 3, 7) for c in (1, 2, 8)]
    assert [[x.at(at) for at in sizes]] == oracles.run_javascript([x.javascript], sizes)


def test_a_leading_minus_before_a_power_is_valid_javascript() -> None:
    # -S**2 is a syntax error there; at S = 3, w = 2: -9 + 2, -9/2, -(9 + 2·3)
    texts = [(-(S**2) + w).javascript, (-(S**2) / w).javascript, (-(S**2) - 2 * S).written(notation.JAVASCRIPT, True)]
    assert [[-7], [-4.5], [-15]] == oracles.run_javascript(texts, [{"S": 3, "w": 2}])


@given(recipes)
def test_latex_is_well_formed(recipe: Recipe) -> None:
    for text in (expr(recipe).latex, expr(recipe).written(notation.LATEX, factored=True)):
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", text):
            depth += 1 if brace == "{" else -1
            assert depth >= 0
        assert 0 == depth
        assert text.count(r"\left") == text.count(r"\right")
        known = {"frac", "mathrm", "min", "max", "left", "right", "lfloor", "rfloor", "lceil", "rceil", "cdot", "left("}
        assert set(re.findall(r"\\([a-z]+)", text)) <= known
        assert "{}" not in text
        assert not re.search(r"\^\{[^{}]*\}\^|\}_\{[^{}]*\}_", text)  # no double superscript or subscript


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("S", "S"),
        ("d_k", "d_{k}"),
        ("d_model", r"d_{\mathrm{model}}"),
        ("d_ff1", r"d_{\mathrm{ff1}}"),
        ("N_enc", r"N_{\mathrm{enc}}"),
        ("heads", r"\mathrm{heads}"),
        ("image_size", r"\mathrm{image}_{\mathrm{size}}"),
        ("max_seq_len", r"\mathrm{max}_{\mathrm{seq\_len}}"),
        ("_x", r"\mathrm{\_x}"),
        ("x_", r"\mathrm{x\_}"),
    ],
)
def test_names_are_set_with_their_index_below(name: str, latex: str) -> None:
    assert latex == Expr.of(name).latex


@given(polynomials, polynomials)
def test_different_expressions_are_written_differently(a: Recipe, b: Recipe) -> None:
    x, y = expr(a), expr(b)
    for way in (notation.TEXT, notation.LATEX, notation.SYMPY, notation.JAVASCRIPT):
        assert (x == y) == (x.written(way) == y.written(way))


@pytest.mark.parametrize("D", range(2, 8))
def test_a_quotient_rounded_up_is_written_so_wherever_it_is_one(D: int) -> None:
    # ⌊(H + c)/D⌋ is the quotient rounded up exactly for c = D - 1: at H = 1 it is 1, for c < D - 1 it is 0
    H = Expr.of("H")
    for c in range(D):
        size = floor((H + c) / D)
        assert all((n + c) // D == size.at(H=n) for n in range(1, 40))
        assert (str(size) == f"⌈H/{D}⌉") == (c == D - 1) == ((1 + c) // D == 1)
        assert (r"\lceil" in size.latex) == (c == D - 1)
        assert "ceil" not in size.python


def test_a_size_of_several_letters_is_rounded_up_by_the_same_rule() -> None:
    H, W = map(Expr.of, ("H", "W"))
    assert "⌈H·W/6⌉" == str(floor((H * W + 5) / 6))
    assert "⌈H/2⌉" == str(floor((H - 1) / 2) + 1)  # a convolution of side 3, stride 2, padding 1
    assert "⌊H/2 + W/3 + 2/3⌋" == str(floor(H / 2 + W / 3 + Expr.of(2) / 3))  # steps of 1/6: rounded up it were 5/6
