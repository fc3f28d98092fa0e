"""The order of unlike layers: a period found in any list, counted and unrolled as the list itself."""

import json
from collections import Counter
from itertools import cycle, islice
from typing import Any

import pytest
from family_proofs import build, drawn, read
from hypothesis import given
from hypothesis import strategies as st
from test_families import sample

import shapeviz
from shapeviz import plugins
from shapeviz.errors import SizeError
from shapeviz.expr import Expr, maximum, minimum
from shapeviz.ir import Model
from shapeviz.layer_order import LayerOrder

N = Expr.of("N")
KINDS = st.lists(st.sampled_from(["sliding", "full", "moe"]), min_size=1, max_size=12)


@given(KINDS, st.integers(1, 60))
def test_any_list_of_layers_comes_back_from_its_period_at_any_depth(kinds: list[str], depth: int) -> None:
    layers = list(islice(cycle(kinds), depth))
    order = LayerOrder.of(layers, N)
    assert layers == [name for name, count in order.runs({"N": depth}) for _ in range(count)]


@given(KINDS, st.integers(1, 60))
def test_layers_are_counted_as_in_the_list(kinds: list[str], depth: int) -> None:
    order = LayerOrder.of(kinds, N)
    # a period is the shortest one; what it repeats beyond the list is what the list itself begins with
    length = sum(int(count.at({})) for _, count in order.period)
    assert {k: n for k, n in order.counts({"N": depth}).items() if n} == Counter(islice(cycle(kinds[:length]), depth))


def test_five_sliding_and_one_full_are_a_period_of_six() -> None:
    # 26 layers: four periods of six and two more sliding ones, 4·5 + 2 = 22 and 4
    order = LayerOrder.of((["sliding"] * 5 + ["full"]) * 3, N)
    assert str(order) == "5 × sliding, 1 × full, in turn"
    assert order.counts({"N": 26}) == {"sliding": 22, "full": 4}
    assert list(order.runs({"N": 26}))[-2:] == [("full", 1), ("sliding", 2)]


def test_runs_with_letters_are_taken_once() -> None:
    order = LayerOrder((("full", minimum(N, 28)), ("sliding", maximum(N - 28, 0))), N)
    assert list(order.runs({"N": 30})) == [("full", 28), ("sliding", 2)]
    assert list(order.runs({"N": 20})) == [("full", 20)]
    dense_first = LayerOrder((("dense", Expr.of("N_dense")), ("moe", Expr.of("N_moe"))), Expr.of("N_dense") + "N_moe")
    assert str(dense_first.named("{}_layer")) == "N_dense × dense_layer, N_moe × moe_layer"


def test_a_deep_stack_is_counted_at_once() -> None:
    assert LayerOrder.of(["a", "b", "b"], N).counts({"N": 3 * 10**50 + 1}) == {"a": 10**50 + 1, "b": 2 * 10**50}


def test_a_long_period_is_written_short() -> None:
    # 20 runs; the last two begin the period anew
    layers = [name for n in range(1, 11) for name in ["a"] * n + ["b"]]
    assert str(LayerOrder.of(layers, N)) == "1 × a, 1 × b, 2 × a, 1 × b, 3 × a, … 19 runs, in turn"


def stack(model: Model) -> tuple[LayerOrder | None, list[str]]:
    """The order that our model tells, and its layers one by one; those of a single kind are `layer`."""
    decoder = next(block for block in model.root.blocks if block.role == "stack")
    sizes = model.sizes.numbers
    order = decoder.order or LayerOrder.of(["layer"], N)
    return decoder.order, [name for name, count in order.runs(sizes) for _ in range(count)]


def theirs(data: dict[str, Any]) -> list[str]:
    """The layers of transformers' model, one by one, called by what tells them apart."""
    module = build(data)
    base = getattr(module, module.base_model_prefix, module)
    layers = base.h if hasattr(base, "h") else base.layers
    types = getattr(module.config, "layer_types", None) or ["full_attention"] * len(layers)
    if data["model_type"] == "gpt_neo":
        types = [{"local": "sliding_attention"}.get(t, "full_attention") for t in module.config.attention_layers]
    has_window = getattr(module.config, "sliding_window", None) or data["model_type"] == "gpt_neo"
    windows = [kind.partition("_")[0] if has_window else "full" for kind in types]
    feeds = ["moe" if any("experts" in name for name, _ in layer.named_modules()) else "dense" for layer in layers]
    parts = [part for part in (windows, feeds) if len(set(part)) > 1]
    return ["_".join([*kind, "layer"]) for kind in zip(*parts, strict=True)] if parts else ["layer"] * len(layers)


@pytest.mark.parametrize(
    "family",
    ["deepseek_v2", "deepseek_v3", "gemma2", "gemma3_text", "gpt_neo", "gpt_oss", "mistral", "qwen2", "qwen2_moe",
     "qwen3", "qwen3_moe"],
)  # fmt: skip
def test_layers_stand_in_the_order_in_which_transformers_has_them(family: str) -> None:
    several = 0
    for seed in range(30):
        data = drawn(family, sample(family), seed, left_out=0.2) | {"num_hidden_layers": 2 + seed % 9}
        if data.get("layer_types") or family == "gpt_neo":
            data = drawn(family, sample(family), seed)
        data["architectures"] = list(plugins.load("shapeviz.models", family).CLASSES)[:1]
        try:
            model = read(data)
        except SizeError:
            continue
        order, ours = stack(model)
        assert theirs(data) == ours, data
        several += order is not None
    assert several > 2


def test_a_report_says_in_which_order_the_layers_stand() -> None:
    # Gemma 3 of 1B: 26 layers, five with a window and one without in turn (its sliding_window_pattern is 6)
    report = shapeviz.measure(shapeviz.read("gemma-3-1b"))
    row = json.loads(shapeviz.render(report, "json"))["rows"][1]
    assert [(run["name"], run["count"]["value"]) for run in row["order"]["period"]] == [
        ("sliding_layer", 5), ("full_layer", 1),
    ]  # fmt: skip
    assert row["order"]["depth"] == {"formula": "N", "value": 26}
    assert "layers: 5 × sliding_layer, 1 × full_layer, in turn" in shapeviz.render(report, "table", verb="trace")
    assert "layers: 5 × sliding_layer" in shapeviz.render(report, "table", verb="explain", path="decoder")


def test_a_figure_says_in_which_order_layers_stand_that_it_draws_a_kind_at_a_time() -> None:
    report = shapeviz.measure(shapeviz.read("gemma-3-1b"))
    said = "order of the layers:  5 × sliding_layer, 1 × full_layer, in turn"
    assert said in shapeviz.render(report, "dot")
    assert "order of the layers" not in shapeviz.render(report, "dot", figure="multi_head")
    assert "order of the layers" not in shapeviz.render(shapeviz.measure(shapeviz.read("gpt2")), "dot")
