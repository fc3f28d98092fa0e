"""Architectures that nobody here wrote: the trace costs what PyTorch counts on concrete tensors, at every size."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch_oracles import backward_measured, counting, example, measured, recurrent  # noqa: E402
from torch_zoo import THIRD_PARTY, Case  # noqa: E402

import shapeviz  # noqa: E402

CASES = {case.name: case for case in THIRD_PARTY}
every_case = pytest.mark.parametrize("case", THIRD_PARTY, ids=str)


@cache
def traced(name: str, **options: Any) -> Any:
    """The report of a case, built where it takes no memory."""
    case = CASES[name]
    return shapeviz.measure(shapeviz.trace(case.on("meta"), **options, **case.inputs))


def test_the_zoo_is_large_and_most_of_it_is_not_ours() -> None:
    assert len(THIRD_PARTY) == len(CASES)
    assert sum(not case.ours for case in THIRD_PARTY) >= 28
    assert all(3 == len(case.points) for case in THIRD_PARTY)


@every_case
def test_flops_and_parameters_are_what_pytorch_counts_at_two_points(case: Case) -> None:
    total, module = traced(case.name).total, case.on("cpu")
    for point in case.points[:2]:
        flops, params, _ = measured(module, case.inputs, point)
        assert (flops, params) == (total["flops"].at(point), total["params"].at(point)), point


# The folded totals of all are PyTorch's; the whole ones need layers that alternate, differ, are shared or are nested.
@pytest.mark.parametrize(
    "name",
    [
        "AlbertModel", "Gemma2ForCausalLM", "DeepseekV3ForCausalLM", "T5ForConditionalGeneration", "SwinModel",
        "nn.TransformerEncoder", "nn.LSTM", "VGG",
    ],
)  # fmt: skip
def test_folding_equal_layers_changes_no_total(name: str) -> None:
    folded, whole = traced(name).total, traced(name, fold=False).total
    assert whole["flops"] == folded["flops"]
    assert whole["params"] == folded["params"]


@every_case
def test_no_size_is_left_without_a_name_or_a_number(case: Case) -> None:
    report = traced(case.name)
    own = report.sizes.fixed.keys()  # numbers of the module itself, such as d_model
    assert set(case.dims) == report.sizes.numbers.keys() - own
    assert report.total["flops"].names <= own | set(case.dims)
    assert report.total["params"].names <= own
    assert {name for row in report.rows for size in row.dims for name in size.names} <= own | set(case.dims)


@pytest.mark.parametrize("name", ["nn.LSTM", "nn.GRU", "nn.LSTM projected both ways"])
def test_the_oracle_counts_a_recurrent_layer_as_its_closed_form_does(name: str) -> None:
    case = CASES[name]
    module = case.on("cpu")
    for point in case.points:
        assert recurrent(module, point["B"], point["S"]) == measured(module, case.inputs, point)[0]


@pytest.mark.parametrize("name", ["MixtralForCausalLM", "Qwen2MoeForCausalLM", "DeepseekV3ForCausalLM"])
def test_the_oracle_counts_experts_one_by_one_as_it_counts_them_in_one_product(name: str) -> None:
    case = CASES[name]
    module = case.on("cpu")
    inputs = example(module, case.inputs, case.points[0])
    with counting(module) as counter:
        module.set_experts_implementation("batched_mm")
        module(**inputs)
    assert measured(module, case.inputs, case.points[0])[0] == counter.get_total_flops()


def test_the_oracle_counts_a_grouped_convolution_back_as_often_as_forward() -> None:
    case = CASES["grouped and dilated"]
    module, point = case.on("cpu"), case.points[0]
    forward, _, shapes = measured(module, case.inputs, point)
    # the picture takes no gradient: of the first layer only the weight's, 2·B·H·W·out·(in/groups)·3·3
    first = shapes["0"][0]
    without = 2 * point["B"] * first[2] * first[3] * 12 * 2 * 9
    assert 3 * forward - without == backward_measured(module, case.inputs, point)
