"""The language of inputs: what can be written, and what is said about a slip."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeviz.errors import InputError, ShapevizError, SizeError
from shapeviz.expr import Expr
from shapeviz.tracing.specs import DTYPES, SHORT, TensorSpec, named, names, parse

B, S, H, W = map(Expr.symbol, "BSHW")


def tensor(dtype: str, *dims: Any) -> TensorSpec:
    return TensorSpec(dtype, tuple(map(Expr.of, dims)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("float32[B,S,512]", tensor("float32", B, S, 512)),
        (" float32 [ B , S ] ", tensor("float32", B, S)),
        ("torch.int64[B]", tensor("int64", B)),
        ("bool[B,1,S,S]", tensor("bool", B, 1, S, S)),
        ("float32[]", tensor("float32")),
        ("f32[2*S, S+1, S-1, S//16, H*W]", tensor("float32", 2 * S, S + 1, S - 1, S // 16, H * W)),
        ("f32[2*(S+1), -1+S, 2·S, 2 * 3 // 4, 1_000]", tensor("float32", 2 * S + 2, S - 1, 2 * S, 1, 1000)),
        ("f32[S**2, B·S², ⌊S/2⌋]", tensor("float32", S * S, B * S * S, S // 2)),
        ("f32[S-1-1, S//2//2]", tensor("float32", S - 2, (S // 2) // 2)),
        ("f32[d_model, β]", tensor("float32", "d_model", "β")),
        ("(f32[B,S], i64[B])", (tensor("float32", B, S), tensor("int64", B))),
        ("(f32[B],)", (tensor("float32", B),)),
        ("(f32[B])", tensor("float32", B)),
        ("[f32[B], f32[S],]", [tensor("float32", B), tensor("float32", S)]),
        ("{mask: bool[B,S], 'x': f32[B]}", {"mask": tensor("bool", B, S), "x": tensor("float32", B)}),
        ("[(), [], {}, {a: {b: (1, 2)}}]", [(), [], {}, {"a": {"b": (1, 2)}}]),
        ("3", 3), ("-1", -1), ("0.5", 0.5), ("-1e-3", -0.001), ("'a: [b]'", "a: [b]"), ('"it\'s"', "it's"),
        ("true", True), ("True", True), ("false", False), ("False", False), ("none", None), ("None", None),
    ],
)  # fmt: skip
def test_what_can_be_written(text: str, expected: Any) -> None:
    found = parse(text)
    assert expected == found
    assert type(expected) is type(found)


@pytest.mark.parametrize("short", [*SHORT, *DTYPES])
def test_every_dtype_has_the_name_that_torch_gives_it(short: str) -> None:
    torch = pytest.importorskip("torch")
    assert str(getattr(torch, parse(f"{short}[B]").dtype)) == f"torch.{SHORT.get(short, short)}"


@pytest.mark.parametrize(
    ("text", "name"),
    [("x:float32[B]", "x"), ("x : float32[B]", "x"), ("attention_mask:none", "attention_mask"), ("x:'a:b'", "x"),
     ("x:{a: 1}", "x"), ("{a: 1}", None), ("[{a: 1}]", None), ("'a:b'", None), ("float32[B]", None), ("3", None)],
)  # fmt: skip
def test_a_name_before_a_colon_is_an_argument_and_one_in_braces_is_not(text: str, name: str | None) -> None:
    found, spec = named(text)
    assert name == found
    assert parse(text if name is None else text.partition(":")[2]) == spec


def test_names_come_once_in_the_order_in_which_they_are_read() -> None:
    assert ["S", "B", "T", "H", "W"] == list(names(parse("{a: (f32[S,B], [i64[B,T]]), b: 3, c: f32[H*W + 1, H]}")))
    assert [] == list(names(parse("(3, f32[], f32[5])")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flaot32[B,S]", "character 1: 'flaot32' is no dtype; did you mean 'float32'?"),
        ("(int64[B], bol[B])", "character 12: 'bol' is no dtype; did you mean 'bool'?"),
        ("float32[B,S", "at its end: ']' is missing"),
        ("(float32[B]", "at its end: ')' is missing"),
        ("{a: float32[B]", "at its end: '}' is missing"),
        ("[float32[B])", "']' is missing after a value, before ')'"),
        ("float32[(S,B]", "')' is missing"),
        ("float32[B,,S]", "character 11: a dimension is empty before ','"),
        ("float32[B,]", "a dimension is empty before ']'"),
        ("float32[B,", "a dimension is empty"),
        ("float32[B S]", "',' is missing after a dimension, before 'S'"),
        ("(float32[B] int64[B])", "',' is missing after a value, before 'int64'"),
        ("float32[0]", "a positive integer, not 0"),
        ("float32[B,-3]", "character 11: a dimension is a positive integer, not -3"),
        ("float32[S-S]", "a positive integer, not 0"),
        ("float32[-S]", "a positive integer, not -S"),
        ("float32[99999999999999999999]", "at most 9223372036854775807"),
        ("float32[" + "9" * 4400 + "]", "beyond 10^1000"),
        ("float32[1.5]", "character 9: 1.5 is no whole number"),
        ("float32['B']", "a number, a name or '(' is missing before"),
        ("float32[S/2]", "divide with //"),
        ("float32[S//0]", "by zero"),
        ("float32[S//(S+1)]", "divide by a product"),
        ("float32[S**-1]", "a dimension is an integer, not 1/S"),
        ("float32[min(S,B)]", "made of integers and names with + - * // **, not min(B, S)"),
        ("float32[⌈S/2⌉]", "not ⌈S/2⌉"),
        ("float32[S+]", "character 11: a number, a name or '(' is missing before ']'"),
        ("float32[B,lambda]", "character 11: 'lambda' cannot name a dimension"),
        ("float32[let]", "no word of Python or JavaScript"),
        ("float32[B;S]", "character 10: ';' has no meaning"),
        ("float32[B]]", "nothing can follow"),
        ("float32[B],int64[B]", "nothing can follow"),
        ("float32", "float32[B,S]"),
        ("float32(B,S)", "square brackets"),
        ("B", "'B' is no value"),
        ("'abc", "' is never closed"),
        ("'\\x'", "cannot be read"),
        ("- 'a'", "is missing"),
        ("1__", "is no number"),
        ("٣", "has no meaning"),
        ("", "a tensor or a value is missing"),
        ("x:", "a tensor or a value is missing"),
        ("(,)", "a value is missing before ','"),
        ("{3: 4}", "name of an entry is missing"),
        ("{x float32[B]}", "':' is missing after the name 'x'"),
        ("{x: 1, x: 2}", "given twice"),
        ("x=float32[B]", "ends with a colon: x:float32"),
        ("2x:float32[B]", "'2x' is no argument's name"),
        ("class:float32[B]", "'class' is no argument's name"),
        ("(" * 3000, "nested more than 50 deep"),
        ("float32[" + "(" * 3000, "nested more than 50 deep"),
        ("float32[" + "B," * 3000 + "B]", "at most 5000 characters"),
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_a_slip_gets_one_message_with_its_place(text: str, said: str) -> None:
    with pytest.raises((InputError, SizeError)) as refused:
        named(text)
    message = str(refused.value)
    assert said in message
    assert message.startswith("input ")
    assert len(message) < 700
    assert "\n" not in message


@given(st.text(alphabet="fi3264loat[](){},:+-*/ BS01.'x", max_size=30))
def test_no_text_gets_anything_but_a_value_or_one_of_our_messages(text: str) -> None:
    with suppress(ShapevizError):
        named(text)


def test_reading_a_spec_needs_no_torch() -> None:
    code = "import sys, shapeviz.tracing.specs as s; s.parse('f32[B]'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False\n" == done.stdout
