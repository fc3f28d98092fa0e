"""Modules that ask their data: a trace assumes an answer, says so, and counts the dearer way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.distributions import Categorical, Normal, kl_divergence  # noqa: E402
from torch.nn.utils import rnn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.cli._app import app  # noqa: E402
from shapeviz.errors import DataDependentError, InputError  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.tracing import questions  # noqa: E402


class Asking(nn.Module):
    """Two layers and a way of using them."""

    def __init__(self, use: Callable[[Asking, Tensor], object]) -> None:
        super().__init__()
        self.use, self.a, self.b = use, nn.Linear(8, 8), nn.Linear(8, 8)
        self.register_buffer("turns", torch.tensor([3, 2]))

    def forward(self, x: Tensor) -> object:
        return self.use(self, x)


def traced(use: Callable[[Asking, Tensor], object], sizes: dict[str, int] | None = None) -> Model:
    return shapeviz.trace(Asking(use), "float32[B,8]", sizes=sizes)


def assumed(model: Model) -> list[str]:
    """The notes on assumptions, without the lines of code in them."""
    notes = [note.removeprefix("assumed: ") for note in model.notes if note.startswith("assumed: ")]
    return [f"{note.partition(' ')[0]}: {note.rpartition('; ')[2]}" for note in notes]


def flops(use: Callable[[Asking, Tensor], object], x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Asking(use)(x)
    return int(counter.get_total_flops())


def checked(net: Asking, x: Tensor) -> Tensor:
    if torch.isnan(x).any():
        raise ValueError("not a number")
    if not (x > -100).all() or not x.max() < 100:
        raise AssertionError
    return net.a(x)


def clamped(net: Asking, x: Tensor) -> Tensor:
    x = net.a(x)
    if torch.isinf(x).any() or torch.isnan(x).any():
        x = x.clamp(-1000, 1000)
    return net.b(x)


def early_exit(net: Asking, x: Tensor) -> Tensor:
    for _ in range(3):
        x = net.a(x)
        if net.b(x).softmax(-1).max() > 2:
            return x
    return x


def scaled(net: Asking, x: Tensor) -> Tensor:
    largest = x.abs().max().item()
    return net.a(x / largest if largest > 1 else x)


def until_close(net: Asking, x: Tensor) -> Tensor:
    turn = 0
    while (x - net.a(x)).norm() > -1 and turn < 4:
        x, turn = net.a(x), turn + 1
    return x


def close(net: Asking, x: Tensor) -> Tensor:
    return x if torch.allclose(x, x + 1) or torch.equal(x, x + 1) else net.a(x)


def encoder(net: Asking, x: Tensor) -> tuple[Tensor, Tensor]:
    q = Normal(net.a(x), x.exp())
    return net.b(q.rsample()), kl_divergence(q, Normal(torch.zeros_like(x), torch.ones_like(x)))


def policy(net: Asking, x: Tensor) -> tuple[Tensor, Tensor]:
    choice = Categorical(logits=net.a(x))
    return choice.sample(), choice.entropy()


def known_numbers(net: Asking, x: Tensor) -> Tensor:
    for _ in range(int((net.turns + 1).max())):
        x = net.a(x)
    return net.b(x) if net.turns.sum() > 4 and net.turns[0] == 3 else x


@pytest.mark.parametrize(
    "use", [checked, clamped, early_exit, scaled, until_close, close, encoder, policy, known_numbers]
)
def test_what_a_module_asks_of_its_data_is_assumed_where_the_dearer_way_is_gone(
    use: Callable[[Asking, Tensor], object],
) -> None:
    total = shapeviz.measure(traced(use)).total["flops"]
    for batch in (2, 5):
        assert flops(use, torch.randn(batch, 8)) == total.at(B=batch)


def test_the_answers_that_are_assumed_are_said_with_what_the_other_way_comes_to() -> None:
    asserted = "yes: the other way raises AssertionError"
    assert ["no: the other way raises ValueError", asserted, asserted] == assumed(traced(checked))
    assert ["no: the other way costs the same"] * 2 == assumed(traced(clamped))
    assert ["no: the other way costs less"] == assumed(traced(early_exit))
    assert ["yes: the other way costs less"] == assumed(traced(until_close))
    assert [] == assumed(traced(encoder)) == assumed(traced(known_numbers))
    line = checked.__code__.co_firstlineno + 1
    notes = [note for note in traced(checked).notes if f"test_tracing_data.py:{line}, if torch.isnan(x).any():" in note]
    assert 1 == len(notes)


@pytest.mark.parametrize("until", [lambda x: x.max() > 1, lambda x: not x.max() < 1])
def test_a_loop_that_only_data_end_is_refused(until: Callable[[Tensor], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_IN_ALL", 50)

    def looping(net: Asking, x: Tensor) -> Tensor:
        while until(x):
            x = x * 0.5
        return net.a(x)

    with pytest.raises(DataDependentError, match="only data end the loop"):
        traced(looping)


def test_at_other_sizes_the_same_is_assumed() -> None:
    def short(net: Asking, x: Tensor) -> Tensor:
        return net.a(x) if x.isnan().any() or len(x) > 6 else net.b(net.a(x))

    total = shapeviz.measure(traced(short, {"B": 4})).total["flops"]
    assert (2 * 4 * 128, 9 * 128) == (total.at(B=4), total.at(B=9))


def test_strict_does_not_pass_what_is_assumed(tmp_path: Path) -> None:
    lines = (
        "from torch import nn",
        "class Net(nn.Linear):",
        "    def forward(self, x): return super().forward(x if x.min() > 0 else -x)",
        "def build(): return Net(8, 8)",
    )
    (tmp_path / "net.py").write_text("\n".join(lines))
    line = ["flops", f"{tmp_path}/net.py:build", "--input", "float32[B,8]"]
    done = CliRunner().invoke(app, [*line, "--strict"])
    assert (1, True) == (done.exit_code, "the other way costs the same" in done.stderr)
    assert 0 == CliRunner().invoke(app, line).exit_code


class Packing(nn.Module):
    """A recurrent layer over sequences, packed or padded, and a layer over what it gives."""

    def __init__(self, layer: nn.RNNBase, packs: bool, in_order: bool = False) -> None:
        super().__init__()
        self.layer, self.packs, self.in_order = layer, packs, in_order
        self.head = nn.Linear(layer.hidden_size * (1 + layer.bidirectional), 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        first = self.layer.batch_first
        if not self.packs:
            return self.head(self.layer(x)[0])
        packed = rnn.pack_padded_sequence(x, lengths.cpu(), first, enforce_sorted=self.in_order)
        padded, _ = rnn.pad_packed_sequence(self.layer(packed)[0], first)
        return self.head(padded)


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    "layer", [nn.LSTM(8, 5, batch_first=True), nn.GRU(8, 5, 2, bidirectional=True), nn.RNN(8, 5, batch_first=True)]
)
def test_a_packed_sequence_costs_at_most_what_the_padded_one_costs(layer: nn.RNNBase, in_order: bool) -> None:
    inputs = {"x": "float32[B,S,8]" if layer.batch_first else "float32[S,B,8]", "lengths": "int64[B]"}
    packed, padded = (
        shapeviz.trace(Packing(layer, packs, in_order), inputs["x"], inputs["lengths"]) for packs in (1, 0)
    )
    assert shapeviz.measure(padded).total["flops"].expression == shapeviz.measure(packed).total["flops"].expression
    said = "assumed: every packed sequence has its full length; shorter ones cost less"
    assert [said] == [note.partition(" (")[0] for note in packed.notes if "assumed: " in note]
    assert padded.root.output.shape == packed.root.output.shape


class Lazy(nn.Module):
    """A convolution, a normalisation and a linear layer that take their sizes from the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.head = nn.LazyConv2d(16, 3), nn.LazyBatchNorm2d(), nn.LazyLinear(5)
        self.tail = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.head(self.norm(self.convolution(x)).mean((2, 3))))


def test_a_lazy_module_gets_its_sizes_from_its_inputs_and_stays_as_it_was() -> None:
    module, called = Lazy(), Lazy()
    before = module.tail.weight
    report = shapeviz.measure(shapeviz.trace(module, "float32[B,3,H,W]"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        called(torch.randn(2, 3, 9, 11))
    assert counter.get_total_flops() == report.total["flops"].at(B=2, H=9, W=11)
    assert sum(weight.numel() for weight in called.parameters()) == report.total["params"].value
    assert (nn.LazyLinear, True, before) == (
        type(module.head),
        module.head.has_uninitialized_params(),
        module.tail.weight,
    )


def test_a_lazy_module_whose_first_call_fails_says_why() -> None:
    with pytest.raises(
        InputError, match="no sizes before its first call, and that raises ValueError: expected 4D input"
    ):
        shapeviz.trace(Lazy(), "float32[B,3,H]")


def norm(net: Asking, x: Tensor) -> float:
    return net.b(net.a(x)).norm().item()


def nothing(net: Asking, x: Tensor) -> None:
    net.a(x)


@pytest.mark.parametrize("use", [norm, nothing])
def test_a_forward_that_gives_a_number_or_nothing_costs_what_it_computes(
    use: Callable[[Asking, Tensor], object],
) -> None:
    assert flops(use, torch.randn(5, 8)) == shapeviz.measure(traced(use)).total["flops"].at(B=5)


def test_ranges_of_floating_numbers_are_as_long_as_they_are_written() -> None:
    def positions(net: Asking, x: Tensor) -> tuple[Tensor, Tensor]:
        up, down = torch.arange(0.0, x.shape[0]), torch.arange(x.shape[0] - 1, -1, -1.0)
        return net.a(up[:, None].expand(-1, 8)), net.b(down[:, None].expand(-1, 8))

    report = shapeviz.measure(traced(positions))
    assert ({}, 5 * 256) == (report.not_counted, report.total["flops"].at(B=5))


def test_a_product_with_a_complex_number_is_complex() -> None:
    assert "complex64" == traced(lambda net, x: (net.a(x) + 1) * 1j).root.output.dtype


def test_a_module_that_begins_in_place_saves_what_it_makes() -> None:
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(8, 4))
    model = shapeviz.trace(net, "float32[B,8]", saved=True, input_grad=True)
    assert "32·B" == str(shapeviz.measure(model, ["saved"]).total["saved"])  # the result of ReLU, which the layer reads
