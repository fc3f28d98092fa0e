"""The tree of a trace: what is folded and what is not, who owns a weight, and what is listed as never called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_zoo import pretrained, require  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402
from shapeviz.report import Report  # noqa: E402

B, S = map(Expr.symbol, "BS")
X = {"x": "float32[B,S,8]"}


class Layer(nn.Module):
    """x + W act(x), in which anything can be made different."""

    def __init__(self, act: Callable[[Tensor], Tensor] = F.relu, index: int = 99, p: float = 0.5) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(8, 8), nn.Dropout(p)
        self.act, self.layer_idx, self.twice, self.scale = act, index, False, 1.0

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(self.dropout(self.act(x)))
        return x + (y + y if self.twice else y) * self.scale


class Branching(Layer):
    """The fourth runs its linear layer twice."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return self.linear(y) if self.layer_idx == 3 else y


class Stack(nn.Module):
    """Layers one after another."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Of(nn.Module):
    """A function of its parts as a module."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def report(module: nn.Module, inputs: dict[str, Any] = X, **options: Any) -> Report:
    columns = ["params", "flops", *(["saved", "gradients"] if options.get("saved") else [])]
    return shapeviz.measure(shapeviz.trace(module, forward=inputs, **options), columns)


def repeats(module: nn.Module, kind: str = "Layer", **options: Any) -> list[int]:
    """How often each row of a kind stands for one that runs."""
    return [row.times.value for row in report(module, **options).rows if row.block == kind]


def changed(change: Callable[[Layer], Any], which: int = 1, **options: Any) -> Stack:
    """Three layers, one of them changed."""
    stack = Stack(*(Layer(**options) for _ in range(3)))
    change(stack.layers[which])
    return stack


# folding


@pytest.mark.parametrize("options", [{}, {"saved": True, "input_grad": True}, {"training": True, "input_grad": True}])
def test_layers_that_are_alike_are_one_row(options: dict[str, bool]) -> None:
    assert [3] == repeats(Stack(Layer(), Layer(), Layer()), **options)
    assert [5] == repeats(Stack(*(Layer(index=i) for i in range(5))), **options)
    assert [1, 1, 1] == repeats(Stack(Layer(), Layer(), Layer()), fold=False, **options)


def test_the_first_layer_is_a_row_of_its_own_where_nothing_before_it_learns() -> None:
    assert [1, 4] == repeats(Stack(*(Layer(index=i) for i in range(5))), training=True)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "attribute that changes the operations": lambda layer: setattr(layer, "twice", True),
    "activation": lambda layer: setattr(layer, "act", F.gelu),
    "activation given as a lambda": lambda layer: setattr(layer, "act", lambda x: x.exp() + 1),
    "training flag": lambda layer: layer.eval(),
    "dtype": lambda layer: setattr(layer, "act", lambda x: x.double().relu().float()),
    "size of a part": lambda layer: setattr(layer, "linear", nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 8))),
    "class of a part": lambda layer: setattr(layer, "linear", nn.Identity()),
    "bias": lambda layer: setattr(layer, "linear", nn.Linear(8, 8, bias=False)),
    "hook after": lambda layer: layer.linear.register_forward_hook(lambda m, i, out: out @ out.mT @ out),
    "hook before": lambda layer: layer.register_forward_pre_hook(lambda m, i: (i[0] @ i[0].mT @ i[0],)),
}  # fmt: skip


# The layer in the middle is the one that might not be run; what makes layers differ is the same wherever they stand.
@pytest.mark.parametrize(
    ("name", "which"),
    [*((name, 1) for name in CHANGES), *((name, i) for name in ("activation", "bias") for i in (0, 2))],
)
def test_a_layer_that_does_something_else_is_a_row_of_its_own(name: str, which: int) -> None:
    stack = changed(CHANGES[name], which)
    found = repeats(stack)
    assert 2 <= len(found) <= 3
    assert 3 == sum(found)
    for options in ({"training": True}, {"saved": True}):
        folded, whole = (report(stack, fold=fold, **options).total for fold in (True, False))
        assert whole == folded


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_layer_with_a_forward_of_its_own_is_a_row_of_its_own(which: int) -> None:
    stack = changed(lambda layer: setattr(layer, "forward", lambda x: x @ x.mT @ x), which)
    # 2·B·S²·8 for each of the two products
    assert 2 * 128 * B * S + 2 * 16 * B * S**2 == report(stack).total["flops"]


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (lambda layer: setattr(layer.dropout, "p", 0.1), 1),
        (lambda layer: setattr(layer, "scale", 2.0), 1),
        *((lambda layer: layer.requires_grad_(False), which) for which in range(3)),
        (lambda layer: layer.linear.weight.requires_grad_(False), 1),
    ],
    ids=["dropout", "scale", *(f"{which} frozen" for which in range(3)), "frozen in part"],
)
def test_a_layer_with_another_number_or_frozen_changes_no_total(change: Callable[[Layer], Any], which: int) -> None:
    stack = changed(change, which)
    for options in ({}, {"training": True}, {"saved": True}, {"saved": True, "input_grad": True}):
        folded, whole = (report(stack, fold=fold, **options).total for fold in (True, False))
        assert whole == folded
    assert 2 <= len(repeats(stack, training=True)) <= 3


def test_a_branch_on_the_number_of_the_layer_is_seen() -> None:
    stack = Stack(*(Branching(index=i) for i in range(5)))
    assert 5 == sum(repeats(stack, "Branching"))
    # four layers run their 8·8 matrix once, and one, when the first three were alike, twice
    assert 6 * 2 * B * S * 64 == report(stack).total["flops"]
    assert 5 * 72 == report(stack).total["params"]


def test_layers_that_get_other_shapes_are_rows_of_their_own() -> None:
    class Halving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)[:, : x.shape[1] // 2]
            return x

    halves = [S, S // 2, S // 2 // 2, S // 2 // 2 // 2]
    assert 128 * B * sum(halves, Expr()) == report(Halving()).total["flops"]
    assert 4 == len([row for row in report(Halving()).rows if row.block == "Linear"])


def test_partial_functions_and_bound_methods_are_seen_to_differ() -> None:
    stack = Stack(*(Layer(partial(F.softmax, dim=d)) for d in (-1, -1)), Layer(torch.relu))
    assert [2, 1] == repeats(stack)


# sharing


def test_a_module_called_twice_runs_twice_and_has_its_weights_once() -> None:
    twice = Of(lambda self, x: self.a(torch.relu(self.a(x))), a=nn.Linear(8, 8))
    assert 2 * 128 * B * S == report(twice).total["flops"]
    assert 72 == report(twice).total["params"]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_layer_shared_by_a_whole_stack_is_repeated_with_one_copy(times: int) -> None:
    stack = Stack(*[Layer()] * times)
    (row,) = [row for row in report(stack).rows if row.block == "Layer"]
    assert (times, 1) == (row.repeat.value, row.copies.value)
    assert times * 128 * B * S == report(stack).total["flops"]
    assert 72 == report(stack).total["params"] == report(stack, fold=False).total["params"]


def test_albert_repeats_one_layer_and_keeps_one_copy() -> None:
    require("transformers")
    sizes = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 6, "num_attention_heads": 4}
    model = pretrained("AlbertModel", {}, {**sizes, "vocab_size": 61, "embedding_size": 10})
    found = report(model, {"input_ids": "int64[B,S]"})
    attention = [row for row in found.rows if row.block == "AlbertAttention"]
    assert [(6, 1)] == [(row.repeat.value, row.copies.value) for row in attention]
    assert sum(weight.numel() for weight in model.parameters()) == found.total["params"].value


def test_tied_weights_are_counted_where_they_are_used_first() -> None:
    model = Of(lambda self, x: self.head(self.embed(x)), embed=nn.Embedding(50, 8), head=nn.Linear(8, 50, bias=False))
    model.head.weight = model.embed.weight
    found = report(model, {"x": "int64[B,S]"})
    assert 400 == found.total["params"]
    assert {"weight": "embed"} == found.row("head").tied
    assert 800 * B * S == found.total["flops"]


def test_weights_tied_across_layers_are_counted_once() -> None:
    stack = Stack(*(nn.Linear(8, 8) for _ in range(4)))
    for layer in stack.layers[1:]:
        layer.weight = stack.layers[0].weight
    for fold in (True, False):
        assert 64 + 4 * 8 == report(stack, fold=fold).total["params"]
        assert 4 * 128 * B * S == report(stack, fold=fold).total["flops"]


# who owns what


def test_a_parameter_of_a_module_that_has_parts_is_its_own() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.linear(torch.cat([self.cls_token.expand(x.shape[0], 1, 8), x], 1))

    inner = Of(forward, cls_token=nn.Parameter(torch.zeros(1, 1, 8)), linear=nn.Linear(8, 8))
    found = report(Stack(inner, nn.ReLU()))
    assert {"cls_token": (1, 1, 8)} == found.row("layers_0").weights
    assert (80, 72) == (found.row("layers_0").cells["params"].value, found.row("layers_0.linear").cells["params"].value)
    assert 128 * B * (S + 1) == found.total["flops"]


def test_buffers_are_no_parameters_and_are_told_apart() -> None:
    module = Of(lambda self, x: self.norm(x) + self.table, norm=nn.BatchNorm1d(8))
    module.register_buffer("table", torch.zeros(100, 8))
    found = report(module, {"x": "float32[100,8]"})
    assert 16 == found.total["params"]
    # running mean and variance, how many batches, and the table
    assert "817 elements in buffers, which are no parameters" in found.notes


def test_what_is_never_called_is_listed_and_its_parameters_count() -> None:
    parts = {"a": nn.Linear(8, 8), "idle": nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2)), "lost": nn.Linear(2, 2)}
    module = Of(lambda self, x: self.a(x), **parts, alone=nn.Parameter(torch.zeros(5)))
    found = report(module)
    idle = {row.path: (row.block, row.cells["params"].value) for row in found.rows if row.role == "unreached"}
    # (8·4 + 4) + (4·2 + 2) = 46, 2·2 + 2 = 6
    assert {"idle": ("Sequential", 46), "lost": ("Linear", 6)} == idle
    assert 72 + 46 + 6 + 5 == found.total["params"]
    assert 128 * B * S == found.total["flops"]


def test_a_weight_that_an_operation_reads_without_a_call_belongs_to_its_reader() -> None:
    found = report(Stack(nn.MultiheadAttention(8, 2, batch_first=True, bias=False)).layers[0],
                   {"query": X["x"], "key": X["x"], "value": X["x"]})  # fmt: skip
    assert [] == [row for row in found.rows if row.role == "unreached"]
    assert 4 * 64 == found.total["params"]
    assert 4 * 128 * B * S + 2 * 2 * B * S**2 * 8 == found.total["flops"]


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_attention_s_weights_are_counted_in_every_layer_of_a_stack(layers: int) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    for options in ({}, {"fold": False}):
        found = report(module, {"src": X["x"]}, **options)
        assert sum(weight.numel() for weight in module.parameters()) == found.total["params"].value


def test_functions_are_alike_by_their_code_and_what_they_close_over() -> None:
    def power(n: int) -> Callable[[Tensor], Tensor]:
        return lambda x: x if n == 0 else x @ x.mT @ x

    assert [3] == repeats(Stack(*(Layer(power(0)) for _ in range(3))))
    for usual, odd in ((power(0), power(1)), (lambda x: x, lambda x: x @ x.mT @ x)):
        stack = Stack(Layer(usual), Layer(usual), Layer(odd))
        assert 3 * 128 * B * S + 2 * 16 * B * S**2 == report(stack).total["flops"]
