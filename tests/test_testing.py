"""Checks in test suites: what passes, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from shapeviz.errors import InputError, SizeError  # noqa: E402
from shapeviz.expr import Expr, floor  # noqa: E402
from shapeviz.testing import check  # noqa: E402

X = "float32[B,S,512]"
AT = {"B": 2, "S": 100}


class Of(nn.Module):
    """A linear layer, and a function that makes the output of what it gives."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(4, 4), function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.linear(x))


class Config:
    """A number of the module that has a name."""

    d_model = 512


class Named(nn.Linear):
    """A linear layer of width d_model."""

    config = Config()


def failure(module: nn.Module, *inputs: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        check(module, *inputs, **options)
    return str(caught.value)


def test_a_check_that_holds_gives_the_report() -> None:
    # 512·64 + 64 = 32_832 parameters; 2·512·64 = 65_536 FLOPs a position
    report = check(
        nn.Linear(512, 64), X, returns="float32[B,S,64]", params=32_832, max_params="32.832K", flops="2*B*S*512*64",
        max_flops=65_536 * 200, sizes=AT,
    )  # fmt: skip
    assert 32_832 == report.total["params"].value


def test_inputs_can_be_named() -> None:
    check(nn.Linear(512, 64), input=X, returns="float32[B,S,64]")
    check(nn.Linear(512, 64), forward={"input": X}, returns="float32[B,S,64]")


def test_an_axis_that_differs_is_marked() -> None:
    expected = """\
Linear is not as expected
  output: axis 2 is 64, expected 512
    returned  float32 [B, S, 64 ]
    expected  float32 [B, S, 512]
                             ^^^"""
    assert expected == failure(nn.Linear(512, 64), X, returns=X)


def test_all_axes_and_the_dtype_are_marked() -> None:
    expected = """\
Linear is not as expected
  output: dtype float32, expected float16; axis 1 is S, expected 64; axis 2 is 64, expected S
    returned  float32 [B, S , 64]
    expected  float16 [B, 64, S ]
              ^^^^^^^     ^^  ^^"""
    assert expected == failure(nn.Linear(512, 64), X, returns="float16[B,64,S]")


def test_another_number_of_axes_is_told() -> None:
    expected = """\
Linear is not as expected
  output: 3 axes, expected 2
    returned  float32 [B, S , 64]
    expected  float32 [B, 64]"""
    assert expected == failure(nn.Linear(512, 64), X, returns="float32[B,64]")


def test_shapes_are_compared_as_formulas() -> None:
    conv = nn.Conv1d(3, 8, 4, stride=2)
    check(conv, "float32[B,3,S]", returns="float32[B,8,S//2-1]")
    assert "axis 2 is ⌊S/2⌋ - 1, expected ⌊S/2⌋" in failure(conv, "float32[B,3,S]", returns="float32[B,8,S//2]")
    assert "axis 2 is ⌊S/2⌋ - 1, expected 9" in failure(
        conv, "float32[B,3,S]", returns="float32[B,8,9]", sizes={"S": 20}
    )


def test_two_dimensions_of_one_size_are_not_the_same() -> None:
    linear, spec = nn.Linear(512, 64), "float32[S,T,512]"
    assert "axis 0 is S, expected T; axis 1 is T, expected S" in failure(
        linear, spec, returns="float32[T,S,64]", sizes={"S": 128, "T": 128}
    )


def test_a_number_of_the_module_is_a_number_whatever_its_configuration_calls_it() -> None:
    module = Named(512, 512)
    check(module, X, returns="float32[B,S,512]", flops="2*B*S*512*512")
    assert "axis 2 is 512, expected 64" in failure(module, X, returns="float32[B,S,64]")
    assert "the difference is 2048·B·S" in failure(module, X, flops="2*B*S*512*510")


def test_outputs_are_compared_in_their_structure() -> None:
    pair = Of(lambda x: (x, {"k": x @ x.mT, "n": None}))
    spec = "float32[B,S,4]"
    check(pair, spec, returns=(spec, {"k": "float32[B,S,S]"}))
    check(pair, spec, returns=f"({spec}, {{k: float32[B,S,S]}})")
    check(pair, spec, returns=[spec, {"k": "float32[B,S,S]"}])
    assert "output 1.k: axis 2 is S, expected 4" in failure(pair, spec, returns=(spec, {"k": spec}))
    assert "it returns 0 float32[B,S,4], 1.k float32[B,S,S], expected float32[B,S,4]" in failure(
        pair, spec, returns=spec
    )
    assert "expected 0 float32[B,S,4]" in failure(pair, spec, returns=(spec,))
    assert "expected 0 float32[B,S,4], 1 float32[B,S,4]" in failure(pair, spec, returns=(spec, spec))


def test_a_dict_of_specs_names_some_of_the_outputs() -> None:
    named = Of(lambda x: {"a": x, "b": x.sum(-1)})
    check(named, "float32[B,S,4]", returns={"b": "float32[B,S]"})
    check(named, "float32[B,S,4]", returns={"b": "float32[B,S]", "a": "float32[B,S,4]"})
    assert "output b: 2 axes, expected 3" in failure(named, "float32[B,S,4]", returns={"b": "float32[B,S,4]"})
    found = failure(named, "float32[B,S,4]", returns={"c": "float32[B,S]"})
    assert "it returns a float32[B,S,4], b float32[B,S], expected c float32[B,S]" in found
    assert "expected 0 float32[B,S,4]" in failure(nn.Linear(4, 4), "float32[B,S,4]", returns=("float32[B,S,4]",))


def test_parameters_that_differ_are_listed_by_part() -> None:
    expected = """\
Sequential is not as expected
  parameters: 33,027, expected 33,000: 27 too many
    0: 32,832
    1: 195
  parameters: 33,027, more than 30,000"""
    module = nn.Sequential(nn.Linear(512, 64), nn.Linear(64, 3))
    assert expected == failure(module, X, params=33_000, max_params="30k")
    assert "1,073 too few" in failure(module, X, params=34_100)


def test_flops_that_differ_show_both_formulas_and_the_difference() -> None:
    expected = """\
Linear is not as expected
  FLOPs: 65536·B·S, expected 32768·B·S
    the difference is 32768·B·S
  FLOPs: 13,107,200, more than 1,000,000, at B = 2, S = 100"""
    assert expected == failure(nn.Linear(512, 64), X, flops="2*B*S*512*32", max_flops="1M", sizes=AT)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("65536·B·S", 65536 * Expr.of("B") * "S"),
        ("2 × B × S × 512 × 8²", 65536 * Expr.of("B") * "S"),
        ("B*S*2**16", 65536 * Expr.of("B") * "S"),
        ("B*S*(2^17)/2 + S - S", 65536 * Expr.of("B") * "S"),
        ("-B*S*(1 - 65537)", 65536 * Expr.of("B") * "S"),
        (65536 * Expr.of("B") * "S", 65536 * Expr.of("B") * "S"),
        ("32768·B·(2·⌊S⌋ + ⌈0/2⌉)", 65536 * Expr.of("B") * "S"),
        ("max(B*S*65536, 7*0)", 65536 * Expr.of("B") * "S"),
    ],
)
def test_formulas_can_be_written_in_many_ways(text: str | Expr, formula: Expr) -> None:
    assert formula == check(nn.Linear(512, 64), X, flops=text).total["flops"]


def test_what_the_tool_prints_it_reads() -> None:
    conv, image = nn.Conv2d(3, 8, 5, 3), "float32[B,3,H,W]"
    found = check(conv, image).total["flops"]
    assert floor((Expr.of("H") - 2) / 3) * ((Expr.of("W") - 2) // 3) * 2 * 75 * 8 * "B" == found
    check(conv, image, flops=str(found))


@pytest.mark.parametrize(
    ("text", "count"), [("33K", 33_000), ("0.033M", 33_000), ("32,832", 32_832), ("33 k", 33_000), ("1.5B", 15 * 10**8)]
)
def test_a_count_can_have_a_suffix(text: str, count: int) -> None:
    check(nn.Linear(512, 64), X, max_params=text)
    check(nn.Linear(512, 64), X, max_params=count)


def test_a_trace_that_fails_is_a_check_that_fails() -> None:
    found = failure(nn.Linear(512, 64), "float32[B,S,500]")
    assert found.startswith("Linear cannot be traced\n  linear of input[B S 500], weight[64 512]")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"returns": "float33[B]"}, InputError, "'float33' is no dtype; did you mean 'float32'"),
        ({"returns": 3}, InputError, "returns: a spec such as"),
        ({"returns": "(3, float32[B])"}, InputError, "returns[0]: a spec such as"),
        ({"returns": "float32[B,T]"}, InputError, "returns: no input has a dimension T; known: B, S"),
        ({"flops": "2*B*Q"}, InputError, "flops: no input has a dimension Q; known: B, S"),
        ({"flops": "2*B*"}, InputError, "formula '2*B*': at its end: a number, a name or '(' is missing"),
        ({"flops": "open('x')"}, InputError, "'open' is no function"),
        ({"flops": "2.5*B"}, InputError, "2.5 is no whole number"),
        ({"flops": "B**9999"}, InputError, "the power 9999 is too large"),
        ({"flops": "(B+S+1)**99"}, InputError, "the power 99 is too large"),
        ({"flops": "((2**99)**99)**99"}, InputError, "the result is beyond 10^1000"),
        ({"flops": "B/(B-B)"}, InputError, "character 2: division by zero"),
        ({"flops": "(" * 1500 + "B" + ")" * 1500}, InputError, "character 51: nested more than 50 deep"),
        ({"flops": "B" + "+B" * 900 + "+"}, InputError, "at its end"),
        ({"params": "1.5"}, InputError, "params='1.5': a whole number is needed"),
        ({"params": True}, InputError, "params=True: a whole number is needed"),
        ({"max_params": "8 apples"}, InputError, "max_params='8 apples'"),
        ({"max_flops": "8G"}, InputError, "max_flops holds at some sizes only: give sizes={'B': …, 'S': …}"),
        ({"max_flops": "8G", "sizes": {"B": 1}}, InputError, "give sizes={'S': …}"),
        ({"sizes": {"Q": 1}}, SizeError, "Q"),
        ({"other": "int64[B]"}, InputError, "forward has no argument 'other'"),
    ],
)
def test_a_wrong_call_is_no_failed_check(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        check(nn.Linear(512, 64), X, **options)
    assert message in str(caught.value)


def test_costs_that_cannot_be_counted_fail_a_check_of_costs_and_no_other() -> None:
    class Inverse(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.inv(x)

    check(Inverse(), "float32[4,4]", returns="float32[4,4]", params=0)
    assert "FLOPs: not all can be counted: f_1, the FLOPs of aten::linalg_inv_ex" in failure(
        Inverse(), "float32[4,4]", flops="0"
    )


def test_the_module_is_left_as_it_was_also_by_a_check_that_fails() -> None:
    module = nn.Linear(512, 64)
    before = {name: dict(value) if isinstance(value, dict) else value for name, value in vars(module).items()}
    check(module, X)
    failure(module, "float32[B,S,500]")
    assert before.keys() == vars(module).keys()
    assert all(dict(vars(module)[name]) == value for name, value in before.items() if isinstance(value, dict))
