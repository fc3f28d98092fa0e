"""The parameters of a class with letters are a polynomial that instances with numbers alone tell; faults are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.report import Check  # noqa: E402
from shapeviz.tracing.blueprint import blueprint  # noqa: E402
from shapeviz.verify import class_interpolation, class_proof  # noqa: E402


class Layer(nn.Module):
    """Attention with fewer heads for keys and values, and a feed-forward network."""

    def __init__(self, heads: int, groups: int, size: int, mlp: int, bias: bool, all_heads: bool) -> None:
        super().__init__()
        width, shared = heads * size, (heads if all_heads else groups) * size
        self.q, self.kv = nn.Linear(width, width, False), nn.Linear(width, 2 * shared, False)
        self.up, self.down = nn.Linear(width, mlp), nn.Linear(mlp, width, bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.q(x) + self.kv(x).sum(-1, keepdim=True) + self.down(self.up(x))
        return out


class Net(nn.Module):
    """Layers of this kind, in a loop that takes their number as it is."""

    bias, all_heads = True, False

    def __init__(self, heads: int = 6, groups: int = 2, size: int = 5, mlp: int = 40, layers: int = 3) -> None:
        super().__init__()
        make = (Layer(heads, groups, size, mlp, self.bias, self.all_heads) for _ in range(layers))
        self.layers = nn.ModuleList(make)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class WithoutBias(Net):
    """The same without the bias of `down`."""

    bias = False


class AllHeads(Net):
    """The same with heads in place of the groups of keys and values."""

    all_heads = True


class Half(nn.Module):
    """A width of which one half is taken, rounded down."""

    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        return out


@pytest.fixture(scope="module")
def model() -> Model:
    letters = ["heads", "groups", "size", "mlp", "layers"]
    return shapeviz.trace(Net, vary={name: name for name in letters}, x="float32[B,heads*size]")


def proof(model: Model, make: Callable[..., nn.Module] | None = None) -> Check:
    """The check of its parameters, against another class than the one that was traced."""
    assert model.origin is not None
    traced = model.origin.trace
    if make is not None:
        request = traced.setting.request
        other = replace(request, blueprint=replace(request.blueprint, make=make))
        traced = replace(traced, setting=replace(traced.setting, request=other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_proof, "COUNTED", 0)  # FLOPs are not what is looked at here
        checks = shapeviz.verify(replace(model, origin=replace(model.origin, trace=traced)))
    return next(check for check in checks if check.quantity == "params")


def test_the_parameters_are_proved_as_a_polynomial_and_the_chance_of_a_false_one_is_stated(model: Model) -> None:
    check = proof(model)
    assert check.ok
    assert check.note.startswith("equal as polynomials, from ")
    # degree 2 in heads and in size, 1 in groups and in mlp, of 1000 values each, at six fresh points; layers are few
    assert f"a false formula passes with a chance below 1 in {int((Fraction(1000, 6)) ** 6):,}" in check.note


def test_a_bias_that_the_class_has_not_is_named_by_its_row_and_its_term(model: Model) -> None:
    check = proof(model, WithoutBias)
    assert not check.ok
    assert "layers·heads·size has the coefficient 1, the class has 0" in check.note
    assert "here layers.down 1" in check.note


def test_heads_in_place_of_the_heads_of_keys_and_values_are_named_by_their_module(model: Model) -> None:
    check = proof(model, AllHeads)
    assert not check.ok
    assert "layers.kv" in check.note
    assert "there layers.kv" in check.note


def test_a_size_that_is_rounded_is_proved_where_it_is_whole() -> None:
    check = proof(shapeviz.trace(Half, vary=["width"], x="float32[B,width]"))
    assert check.ok
    assert "width in multiples of 2" in check.note


def test_where_too_many_instances_are_needed_random_sizes_stand_alone(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_interpolation, "INSTANCES", 5)
    check = proof(model)
    assert check.ok
    assert "at 25 sizes drawn at random alone, not interpolated: more than 5 instances are needed" == check.note


class Table(nn.Module):
    """A table with a row for padding, as a configuration has it: a size must not be below a number."""

    def __init__(self, rows: int = 5000, width: int = 4, layers: int = 12) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width, padding_idx=4999)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.table(x)
        return out


def test_a_size_that_must_be_large_is_large_and_layers_stay_few() -> None:
    model = shapeviz.trace(Table, vary=["rows", "width", "layers"], run=False)
    plan = blueprint(Table, {name: name for name in ("rows", "width", "layers")})
    formula = shapeviz.measure(model).total["params"].expression
    letters = class_interpolation.free_letters(model.sizes, plan, formula, large=True)
    assert 5000 == letters.domains["rows"][0]
    assert 10 > letters.domains["layers"][-1]
    assert class_interpolation.parameters(model, plan, formula).equal
