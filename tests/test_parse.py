"""The one reader of formulas: what is written is read back as the same, and a slip gets its place."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import oracles
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import expr
from strategies import NAMES, SAMPLE, Recipe, polynomials, recipes

from shapeviz.expr import Expr, ceil, floor, maximum, minimum
from shapeviz.expr.parse import FormulaError, parse, parse_beginning

S, T, V, w, h, d, k = map(Expr.symbol, ("S", "T", "V", "w", "h", "d_model", "d_k"))


# read back


@given(recipes)
def test_what_is_written_is_read_as_the_same(recipe: Recipe) -> None:
    x = expr(recipe)
    assert x == parse(str(x))
    assert x == parse(x.python)
    assert x == parse(x.javascript)


@given(st.text(alphabet="SNh23+-*/() ·×÷−", max_size=16))
def test_arithmetic_means_what_it_means_to_sympy(text: str) -> None:
    with suppress(FormulaError):
        x = parse(text, ["S", "N", "h"])
        signs = str.maketrans({"·": "*", "×": "*", "÷": "/", "−": "-"})
        theirs = sympy.sympify(text.strip().translate(signs), locals=oracles.symbols())
        for sizes in SAMPLE[:5]:
            assert x.at(sizes) == oracles.exact(theirs, sizes)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["S", "N", "2", "3", "-h", "S**2", "(S - 1)"]), min_size=2, max_size=5), st.data())
def test_operators_bind_as_in_python(operands: list[str], data: st.DataObject) -> None:
    text = operands[0]
    for operand in operands[1:]:
        operator = data.draw(st.sampled_from(["+", "-", "*", "/", "//"]))
        text += f" {operator} {operand}"
    with suppress(FormulaError):  # divided by a sum
        x = parse(text)
        for sizes in SAMPLE[:5]:
            names = {name: Fraction(size) for name, size in sizes.items()}
            numbers = text.replace("2", "F(2)").replace("3", "F(3)").replace("**F(2)", "**2")
            assert x.at(sizes) == eval(numbers, {"F": Fraction}, names)


@given(polynomials)
def test_sympys_own_text_is_read_as_the_same(recipe: Recipe) -> None:
    assert expr(recipe) == parse(str(sympy.expand(oracles.symbolic(recipe))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3·h·(d_model·d_k + d_k)", 3 * h * (d * k + k)),
        ("2*S**2", 2 * S * S),
        ("⌈V/64⌉·64", ceil(V / 64) * 64),
        ("min(S, w)", minimum(S, w)),
        ("Max(S, w, T)²", maximum(S, w, T) ** 2),
        ("d_model² × 4", 4 * d * d),
        ("S^2 ÷ h − 1 – 1", S * S / h - 2),
        ("-S²", -(S * S)),
        ("2/3·S", Fraction(2, 3) * S),
        ("S·h⁻¹", S / h),
        ("2**-1**2", Expr.of(Fraction(1, 2))),
        ("-S//2", floor(-S / 2)),
        ("⌊S/2⌋² + ceiling(S/w)", floor(S / 2) ** 2 + ceil(S / w)),
        ("Math.floor((S - 1)/2)", floor((S - 1) / 2)),
        ("1_024 x 2 x S", 2048 * S),
        ("--S - -+1", S + 1),
        ("(β + 1)·x", (Expr.of("β") + 1) * "x"),
    ],
)
def test_formulas_are_read_as_people_and_programs_write_them(text: str, expected: Expr) -> None:
    assert expected == parse(text)


def test_thousands_may_be_grouped_where_no_comma_separates() -> None:
    # 4,465,920·6 = 26,795,520
    for text in ("4,465,920 × 6", "4_465_920 x 6", "4'465'920·6", "4\u202f465\u202f920*6"):
        assert 26_795_520 == parse(text, (), grouped=True)
    with pytest.raises(FormulaError, match="character 2: ',' has no meaning here"):
        parse("1,024")


def test_numbers_may_be_replaced_on_the_way() -> None:
    # 2·(1024 + 1) with 1024 for 512
    assert 1026 == parse("2·(1024 + 1)", number={2: 2, 1024: 512, 1: 1}.__getitem__)


def test_a_beginning_ends_where_nothing_can_continue_it() -> None:
    text = "f32[2*S , ⌊S/2⌋]"
    assert (2 * S, 7) == parse_beginning(text, 4)
    assert (floor(S / 2), 15) == parse_beginning(text, 9)


# mistakes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at its end: a number, a name or '(' is missing"),
        ("2*B*", "at its end: a number, a name or '(' is missing"),
        ("(S + 1", "at its end: ')' is missing after '('"),
        ("⌊S/2)", "character 5: '⌋' is missing after '⌊', before ')'"),
        ("S)", "character 2: ')' closes nothing"),
        ("2 S", "character 3: a sign is missing before 'S'"),
        ("S(2)", "character 1: 'S' is no function; known: floor, ceil, min, max"),
        ("mim(S, 2)", "character 1: 'mim' is no function; did you mean 'min'?"),
        ("floor(S, 2)", "character 8: ')' is missing after '(', before ','"),
        ("2.5·S", "character 1: 2.5 is no whole number"),
        ("1e9", "character 1: 1e9 is no whole number"),
        ("S = 2", "character 3: '=' has no meaning here"),
        ("S·lambda", "character 3: 'lambda' cannot name a dimension"),
        ("S/(S - S)", "character 2: division by zero"),
        ("(S - S)**-1", "character 8: division by zero"),
        ("S/(S + 1)", "character 2: division by the sum S + 1 is not exact"),
        ("2**S", "character 2: the exponent S is not a whole number"),
        ("2**(1/2)", "character 2: the exponent 1/2 is not a whole number"),
        ("٣", "character 1: a number, a name or '(' is missing before '٣'"),
        ("__import__('os')", "character 1: '__import__' is no function"),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(FormulaError, match=r"character 5: 'd_modle' is not known; did you mean 'd_model'\?"):
        parse("2 · d_modle", ["d_model", "h"])


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "10^999 × 10^999",
        "9" * 5000,
        "(((S + 1)**9 + T)**9 + h)**9",
        "S**99999",
        "(S**60)**60",
        "·".join(f"(a{i} + b{i})" for i in range(60)),
        "(" * 5000 + "S",
        "⌊" * 5000 + "S",
        "min(" * 5000 + "S",
        "2**" * 5000 + "2",
        "S + " * 10_000 + "S",
        "min(" + ", ".join(f"a{i}·b{i}" for i in range(300)) + ")",
        "0**-1",
        "S" + "·S" * 100,
    ],
    ids=lambda text: text[:12],
)
def test_no_formula_can_cost_much(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_long_formulas_are_no_deep_ones() -> None:
    assert 5000 * S == parse("+".join(["S"] * 5000))
    assert 1 == parse("1" + "·1" * 5000)
    assert S == parse("-" * 5000 + "S")
    assert 0 == parse("(S - S)**" + "9" * 900)


@given(st.text(alphabet="SNh0129+-*/()·²⌊⌋⌈⌉,.x minaxfloor_^", max_size=30))
def test_no_text_gets_anything_but_an_expression_or_a_message_with_its_place(text: str) -> None:
    for names in (None, NAMES, ()):
        with suppress(FormulaError):
            parse(text, names, grouped=names == ())
