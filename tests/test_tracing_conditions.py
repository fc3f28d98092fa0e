"""What a trace holds for: at the sizes that are asked, every total is what torch counts there, or it is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch_oracles import measured  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import DataDependentError, ShapevizError, SizeError  # noqa: E402
from shapeviz.report import Report  # noqa: E402

INPUTS = {"x": "float32[B,S,8]", "y": "float32[B,T,8]"}
ONES = [{"B": 1, "S": 1, "T": 1}, {"B": 2, "S": 1, "T": 1}, {"B": 1, "S": 1, "T": 3}, {"B": 1, "S": 4, "T": 1}]
OTHERS = [{"B": 2, "S": 5, "T": 40}, {"B": 5, "S": 8, "T": 8}, {"B": 1, "S": 400, "T": 7}]


class Forked(nn.Module):
    """One linear layer where the branch is taken, and two where it is not."""

    def __init__(self, branch: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.branch, self.layer = branch, nn.Linear(8, 8)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z = torch.cat((x, y), 1)
        out: Tensor = self.layer(z) if self.branch(x, y) else self.layer(self.layer(z))
        return out


def agrees(module: nn.Module, point: dict[str, int], general: Report) -> None:
    """The trace at the point, and the general one evaluated there, come to what FlopCounterMode counts."""
    wanted = measured(module, INPUTS, point)[0]
    there = shapeviz.measure(shapeviz.trace(module, **INPUTS, sizes=point))
    assert (wanted, wanted) == (there.total["flops"].value, general.total["flops"].at(**point)), point


@pytest.mark.parametrize(
    "branch",
    [
        lambda x, y: x.shape[1] + y.shape[1] > 2,
        lambda x, y: x.shape[0] * x.shape[1] > 1,
        lambda x, y: (x.shape[1] + y.shape[1]) // 2 > 1,
        lambda x, y: x.numel() > 8,
        lambda x, y: x.shape == (1, 1, 8),
        lambda x, y: x.squeeze().dim() == 3,
        lambda x, y: x.squeeze(1).dim() == 3,
        lambda x, y: x.clone().squeeze_(0).dim() == 3,
    ],
    ids=["sum", "product", "half of a sum", "numel", "shape", "squeeze", "squeeze one", "squeeze in place"],
)
def test_a_size_of_one_is_decided_as_torch_decides_it(branch: Callable[[Tensor, Tensor], Any]) -> None:
    module = Forked(branch)
    general = shapeviz.measure(shapeviz.trace(module, **INPUTS))
    for point in ONES:
        agrees(module, point, general)


@pytest.mark.parametrize(
    "branch",
    [
        lambda x, y: x.shape[1] ** 0.5 > 10,
        lambda x, y: round(x.shape[1] / 4) > 10,
        lambda x, y: int(x.shape[1] * 0.3) > 4,
        lambda x, y: math.ceil(x.shape[1] * 0.3) > 4,
        lambda x, y: abs(x.shape[1] - y.shape[1]) > 10,
        lambda x, y: x.shape[1] & 1,
        lambda x, y: 2 ** x.shape[1] > 1000,
    ],
    ids=["root", "round", "int", "ceil", "abs", "and", "power"],
)
def test_a_condition_that_our_algebra_cannot_write_is_checked_all_the_same(
    branch: Callable[[Tensor, Tensor], Any],
) -> None:
    module = Forked(branch)
    general = shapeviz.measure(shapeviz.trace(module, **INPUTS))
    for point in OTHERS:
        agrees(module, point, general)


def test_a_slice_to_a_square_number_is_traced_anew_at_other_lengths() -> None:
    class Grid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            side = int(x.shape[1] ** 0.5)
            out: Tensor = self.layer(x[:, : side * side])
            return out

    total = shapeviz.measure(shapeviz.trace(Grid(), x=INPUTS["x"])).total["flops"]
    # 2·8·8 for each of the 13² of 192 and the 20² of 400 positions
    assert [128 * 169, 128 * 400] == [total.at(B=1, S=192), total.at(B=1, S=400)]
    numpy = pytest.importorskip("numpy")
    with pytest.raises(SizeError, match="trace again"):
        total.at(B=1, S=numpy.array([192, 400]))
    with pytest.raises(AssertionError, match="at B = 2, S = 384"):
        shapeviz.testing.check(Grid(), x=INPUTS["x"], flops="128*B*169")


@pytest.mark.parametrize("size", [8, 5])
def test_parts_of_a_split_are_as_long_as_torch_makes_them(size: int) -> None:
    class Split(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            first: Tensor = x.tensor_split(2, 1)[0]
            out: Tensor = self.layer(first)
            return out

    total = shapeviz.measure(shapeviz.trace(Split(), x=INPUTS["x"])).total["flops"]
    assert 128 * 3 * math.ceil(size / 2) == total.at(B=3, S=size)


@pytest.mark.parametrize("traced_at", [{"B": 2, "H": 8, "W": 10}, {"B": 2, "H": 7, "W": 6}])
@pytest.mark.parametrize("point", [(2, 9, 10), (2, 7, 6), (1, 8, 3), (3, 4, 4)])
def test_a_view_whose_last_axis_follows_is_as_long_as_torch_makes_it(
    traced_at: dict[str, int], point: tuple[int, int, int]
) -> None:
    class View(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 10)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x.reshape(x.shape[0], 6, -1).transpose(1, 2))
            return out

    b, h, w = point
    total = shapeviz.measure(shapeviz.trace(View(), x="float32[B,3,H,W]", sizes=traced_at)).total["flops"]
    # 2·6·10 for each of the 3·h·w/6 columns
    assert 120 * b * (3 * h * w // 6) == total.at(B=b, H=h, W=w)


@pytest.mark.parametrize("where", ["forward", "caller"])
def test_inference_mode_hides_no_cost(where: str) -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode(where == "forward"):
                y = self.conv(x)
                out: Tensor = self.head((y.mT @ y).mean((2, 3)))
                return out

    with torch.inference_mode(where == "caller"):
        found = shapeviz.measure(shapeviz.trace(Encoder(), x="float32[B,3,H,W]", sizes={"B": 2, "H": 10, "W": 12}))
    # 2·27·8 for each of 2·8·10 positions, 2·8 for each of 2·8·10·10 elements of the product, and 2·8·5 twice
    assert 432 * 160 + 16 * 1600 + 160 == found.total["flops"].value


def test_a_norm_that_torch_refuses_for_a_single_value_is_refused() -> None:
    model = shapeviz.trace(nn.Sequential(nn.Conv1d(8, 8, 1), nn.InstanceNorm1d(8)), "float32[B,8,S]")
    total = shapeviz.measure(model).total["flops"]
    assert 128 * 3 * 2 == total.at(B=3, S=2)
    with pytest.raises(ShapevizError, match="more than 1 spatial element"):
        total.at(B=3, S=1)


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 96), (64, 64), (33, 64)])
def test_sizes_that_equal_numbers_of_the_module_change_nothing(height: int, width: int) -> None:
    class Small(nn.Module):
        """Five halvings, then a perceptron over channels that stand last."""

        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Sequential(*[nn.Conv2d(3 if i == 0 else 64, 64, 2, 2) for i in range(5)])
            self.mlp = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 64))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.down(x)
            out: Tensor = y + self.mlp(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return out

    module, point = Small(), {"B": 2, "H": height, "W": width}
    wanted, _, shapes = measured(module, {"x": "float32[B,3,H,W]"}, point)
    found = shapeviz.measure(shapeviz.trace(module, x="float32[B,3,H,W]", sizes=point))
    assert wanted == found.total["flops"].value
    assert shapes["mlp"] == [found.row("mlp").shape]


def test_an_image_no_larger_than_its_windows_allow_is_counted() -> None:
    halvings = nn.Sequential(*[nn.Conv2d(3 if i == 0 else 64, 64, 2, 2) for i in range(5)])
    found = shapeviz.measure(shapeviz.trace(halvings, "float32[B,3,H,W]", sizes={"B": 1, "H": 32, "W": 32}))
    assert (
        measured(halvings, {"input": "float32[B,3,H,W]"}, {"B": 1, "H": 32, "W": 32})[0] == found.total["flops"].value
    )


def test_a_number_of_the_module_is_not_written_by_the_letter_of_a_size_that_equals_it() -> None:
    class Looped(nn.Module):
        """A cell of width 16, once for every position."""

        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([self.cell(x[:, t]) for t in range(x.shape[1])])

    found = shapeviz.measure(shapeviz.trace(Looped(), x="float32[B,S,16]", sizes={"B": 2, "S": 16}))
    assert {"B"} == found.total["flops"].names
    # 2·16·16 for each of 2·16 positions
    assert 512 * 32 == found.total["flops"].value


@pytest.mark.parametrize("size", [-3, 0, True, 1.0, "2"])
def test_a_size_that_is_no_positive_integer_is_refused_whatever_its_type(size: Any) -> None:
    numpy = pytest.importorskip("numpy")
    total = shapeviz.measure(shapeviz.read("gpt2")).total["flops"]
    refused = [size, numpy.array(size), numpy.array([1, size])] if size is not True else [size, numpy.bool_(True)]
    for wrong in refused:
        with pytest.raises(SizeError):
            total.at(B=wrong)
    assert total.at(B=2) == total.at(B=numpy.int64(2)) == total.at(B=numpy.array([1, 2]))[1]


def test_a_total_that_cannot_be_counted_whole_at_other_sizes_is_refused_there() -> None:
    class Choosing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[1] > 100:
                return x
            out: Tensor = self.layer(x[x[:, :, 0] > 0])
            return out

    total = shapeviz.measure(shapeviz.trace(Choosing(), x=INPUTS["x"])).total["flops"]
    assert 0 == total.at(S=101)
    with pytest.raises(SizeError, match="not all can be counted"):
        total.at(S=100)


class Counted(nn.Module):
    """A layer that runs as often as a buffer says, after forward has added to it or not."""

    def __init__(self, adds: int) -> None:
        super().__init__()
        self.adds, self.layer = adds, nn.Linear(8, 8)
        self.register_buffer("times", torch.tensor(3))
        self.register_buffer("on", torch.tensor([True]))

    def forward(self, x: Tensor) -> Tensor:
        if self.adds:
            self.times.add_(self.adds)
        for _ in range(int(self.times) if self.on else 0):
            x = self.layer(x)
        return x


def test_what_a_buffer_holds_is_known_until_forward_changes_it() -> None:
    total = shapeviz.measure(shapeviz.trace(Counted(0), x=INPUTS["x"])).total["flops"]
    assert 3 * 128 * 2 * 5 == total.at(B=2, S=5)
    with pytest.raises(DataDependentError, match="depends on the data"):
        shapeviz.trace(Counted(1), x=INPUTS["x"])


def test_layers_whose_buffers_hold_unlike_numbers_are_run_each() -> None:
    layers = [Counted(0) for _ in range(4)]
    layers[2].times.fill_(5)
    total = shapeviz.measure(shapeviz.trace(nn.Sequential(*layers), INPUTS["x"])).total["flops"]
    assert (3 + 3 + 5 + 3) * 128 * 2 * 5 == total.at(B=2, S=5)


def test_a_slice_of_a_buffer_leaves_a_length_a_letter() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("places", torch.arange(512)[None])
            self.table = nn.Embedding(512, 8)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table(self.places[:, : x.shape[1]])

    assert "B S 8" == " ".join(map(str, shapeviz.trace(Positions(), "float32[B,S,8]").root.output.shape))


def test_where_patience_ends_all_but_the_batch_become_numbers() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 4, 3))
    model = shapeviz.trace(net, "float32[B,3,H,W]", sizes={"H": 21, "W": 30}, patience=0)
    free = shapeviz.measure(shapeviz.trace(net, "float32[B,3,H,W]")).total["flops"]
    total = shapeviz.measure(model).total["flops"]
    assert ({"B"}, free.at(B=2, H=21, W=30)) == (total.expression.names, total.at(B=2))
    assert free.at(B=2, H=17, W=14) == total.at(B=2, H=17, W=14)
    said = "longer than 0 seconds; patience=SECONDS waits for them"
    assert ["H", "W"] == [note[0] for note in model.notes if note.endswith(said)]
