"""The order of unlike layers: a period found in any list, counted and unrolled as the list itself."""

from collections import Counter
from itertools import cycle, islice

from hypothesis import given
from hypothesis import strategies as st

from shapeviz.expr import Expr, maximum, minimum
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
