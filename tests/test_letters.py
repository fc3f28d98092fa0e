"""A class with letters for its arguments: what is built and run with symbols equals fresh instances with numbers."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.cli._app import app  # noqa: E402
from shapeviz.errors import InputError, SizeError  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.testing import check  # noqa: E402

IMAGE = {"x": "float32[B,3,H,W]"}


class Double(nn.Sequential):
    """Two convolutions, as a U-Net has them at every level."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1))


class UNet(nn.Module):
    """Ronneberger et al. 2015, figure 1: every level has half the size and twice the channels."""

    def __init__(self, channels: int = 8, depth: int = 2, classes: int = 5, unused: int = 3) -> None:
        super().__init__()
        widths = [channels * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(Double(a, b) for a, b in zip([3, *widths], widths, strict=False))
        pairs = [*pairwise(widths)][::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.join = nn.ModuleList(Double(b, a) for a, b in pairs)
        self.head = nn.Conv2d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], 1))
        out: Tensor = self.head(x)
        return out


class Block(nn.Module):
    """Attention and a feed-forward network, with residual connections."""

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.heads, self.width = heads, int(dim / heads)
        self.norm, self.qkv, self.proj = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp), nn.GELU(), nn.Linear(mlp, dim))

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, self.width).permute(2, 0, 3, 1, 4)
        x = x + self.proj((q @ k.mT).softmax(-1).matmul(v).transpose(1, 2).reshape(b, n, d))
        out: Tensor = x + self.mlp(x)
        return out


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, equations 1 to 4."""

    def __init__(self, dim: int = 24, heads: int = 3, mlp: int = 40, patch: int = 4, depth: int = 2) -> None:
        super().__init__()
        assert dim % heads == 0
        self.patch, self.cls = nn.Conv2d(3, dim, patch, patch), nn.Parameter(torch.zeros(1, 1, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp) for _ in range(depth)))
        self.head = nn.Linear(dim, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).mT
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1)
        out: Tensor = self.head(self.blocks(x)[:, 0])
        return out


class Low(nn.Module):
    """A linear layer with a low-rank addition (Hu et al. 2022, equation 3): the rank equals the heads of nothing."""

    def __init__(self, width: int = 16, rank: int = 16) -> None:
        super().__init__()
        self.w, self.a, self.b = nn.Linear(width, width), nn.Linear(width, rank, False), nn.Linear(rank, width, False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w(x) + self.b(self.a(x))
        return out


class Kernel(nn.Module):
    """A convolution whose side only C++ sees as a number, in a list."""

    def __init__(self, c: int = 4, side: int = 3) -> None:
        super().__init__()
        self.c, self.sides = nn.Conv2d(3, c, [*range(side, side + 1)] * 2, padding=side // 2), [0] * side

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.c(x)
        return out


Given = tuple[Callable[..., nn.Module], Any, Mapping[str, Any], Callable[[Random], dict[str, int]]]


def multiple(draw: Random, *names: str) -> dict[str, int]:
    """Random sizes, the first a multiple of the second."""
    sizes = {name: draw.randint(1, 9) for name in names}
    return {**sizes, names[0]: sizes[names[1]] * draw.randint(1, 9)}


CLASSES: dict[str, Given] = {
    "U-Net": (UNet, ["channels", "classes"], IMAGE, lambda r: {"channels": r.randint(1, 20), "classes": 7}),
    "U-Net, an expression": (
        UNet, {"channels": "2*c", "classes": "n"}, IMAGE, lambda r: {"channels": 2 * r.randint(1, 9), "classes": 3},
    ),
    "ViT": (
        ViT, ["dim", "heads", "mlp", "patch", "depth"], IMAGE,
        lambda r: {**multiple(r, "dim", "heads", "mlp"), "patch": r.randint(1, 8), "depth": r.randint(2, 7)},
    ),
    "LoRA": (Low, ["width", "rank"], {"x": "float32[B,width]"}, lambda r: {"width": r.randint(1, 99), "rank": 7}),
    "nn.Transformer": (
        nn.Transformer, ["d_model", "nhead", "dim_feedforward", "num_encoder_layers"],
        {"src": "float32[S,B,d_model]", "tgt": "float32[T,B,d_model]"},
        lambda r: {**multiple(r, "d_model", "nhead", "dim_feedforward"), "num_encoder_layers": r.randint(2, 4)},
    ),
}  # fmt: skip
SIZES = {"B": 2, "S": 5, "T": 3, "H": 24, "W": 16}


@cache
def traced(name: str) -> Model:
    make, vary, inputs, _ = CLASSES[name]
    return shapeviz.trace(make, vary=vary, forward=inputs)


def counted(module: nn.Module, inputs: Mapping[str, str], sizes: Mapping[str, int]) -> int:
    """What torch's own counter counts of a forward pass on tensors without data."""
    tensors = {}
    for name, spec in inputs.items():
        dims = [int(dim) if dim.isdigit() else sizes[dim] for dim in re.findall(r"[\w]+", spec.partition("[")[2])]
        tensors[name] = torch.empty(dims, device="meta")
    with FlopCounterMode(display=False) as counter:
        module(**tensors)
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", CLASSES)
def test_formulas_equal_fresh_instances_at_sizes_drawn_at_random(name: str) -> None:
    make, _, inputs, draw = CLASSES[name]
    report, random = shapeviz.measure(traced(name)), Random(1)
    for i in range(25):
        sizes = draw(random)
        with torch.device("meta"):
            module = make(**sizes)
        assert sum(weight.numel() for weight in module.parameters()) == report.total["params"].at(sizes), sizes
        if i < 3:
            own = {n: s for n, s in SIZES.items() if n in report.sizes.numbers}
            assert counted(module, inputs, {**own, **sizes}) == report.total["flops"].at({**sizes, **own}), sizes


def test_the_formula_of_a_convolution_has_its_kernel_as_a_number() -> None:
    # 8·3·3 weights for each channel that comes in, and 8 biases
    model = shapeviz.trace(lambda c=3: nn.Conv2d(c, 8, 3), "float32[B,c,32,32]", vary=["c"])
    assert 72 * Expr.of("c") + 8 == shapeviz.measure(model).total["params"]


def test_a_number_of_a_plain_module_stays_a_number() -> None:
    report = shapeviz.measure(shapeviz.trace(nn.Conv2d(3, 8, 3), "float32[B,3,3,3]", sizes={"B": 3}))
    assert Expr.of(224) == report.total["params"]
    assert (Expr.of("B"), 8, 1, 1) == report.rows[-1].dims


def test_every_shape_and_cost_of_a_vision_transformer_is_in_the_letters_of_its_class() -> None:
    report = shapeviz.measure(traced("ViT"))
    assert "3·patch²·dim + dim" == str(report.row("patch").cells["params"].each)
    assert "depth" == str(report.row("blocks.0").repeat)
    assert "dim divisible by heads" in {condition.text for condition in report.sizes.conditions}
    assert {"B", "H", "W", "dim", "heads", "mlp", "patch", "depth"} == report.sizes.numbers.keys()
    assert not any(re.search(r"\bs\d+\b", str(size)) for row in report.rows for size in row.dims)


def test_a_class_that_builds_another_tree_at_each_depth_is_traced_anew_there() -> None:
    model = shapeviz.trace(UNet, vary=["channels", "depth"], x="float32[B,3,H,W]")
    assert "what is built changes with it" in model.sizes.pinned["depth"]
    with torch.device("meta"):
        module = UNet(channels=6, depth=3)
    assert sum(w.numel() for w in module.parameters()) == shapeviz.measure(model).total["params"].at(
        channels=6, depth=3
    )


def test_a_size_is_set_by_its_letter_or_by_the_argument_that_it_is_part_of() -> None:
    total = shapeviz.measure(traced("U-Net, an expression")).total["params"]
    assert total.at(c=16, n=3) == total.at(channels=32, classes=3)
    with pytest.raises(SizeError, match=r"channels is 2·c, which it cannot be"):
        total.at(channels=33)


def test_sizes_that_break_a_condition_of_the_class_are_refused_in_its_own_words() -> None:
    with pytest.raises(InputError, match="AssertionError"):
        shapeviz.measure(traced("ViT")).total["params"].at(dim=25, heads=3)


def test_a_letter_that_must_be_a_number_is_put_back_where_its_formula_is_known() -> None:
    report = shapeviz.measure(shapeviz.trace(Kernel, vary=["c", "side"], x="float32[B,3,H,W]"))
    assert "3·c·side² + c" == str(report.total["params"])
    assert {"c", "side"} <= report.sizes.numbers.keys() - report.sizes.pinned.keys()


def test_an_argument_that_the_class_ignores_is_said_to_be() -> None:
    model = shapeviz.trace(UNet, vary=["channels", "unused"], x="float32[B,3,H,W]")
    assert ["unused is ignored: nothing that the class builds depends on it"] == [
        n for n in model.notes if "unused" in n
    ]


def test_the_built_model_is_proved_and_a_planted_mistake_is_found() -> None:
    model = traced("LoRA")
    assert all(check.ok for check in shapeviz.verify(model))

    class Longer(Low):
        """One bias more than the class that was traced."""

        def __init__(self, width: int = 16, rank: int = 16) -> None:
            super().__init__(width, rank)
            self.b = nn.Linear(rank, width)

    from dataclasses import replace

    assert model.origin is not None
    traced_as = model.origin.trace
    request = traced_as.setting.request
    other = replace(request, blueprint=replace(request.blueprint, make=Longer))
    setting = replace(traced_as.setting, request=other)
    wrong = replace(model, origin=replace(model.origin, trace=replace(traced_as, setting=setting)))
    assert ["params"] == [check.quantity for check in shapeviz.verify(wrong) if not check.ok]


class Copying(nn.Module):
    """A class that copies what it was given before it builds by it, as many configurations are."""

    def __init__(self, width: int = 6, layers: int = 2) -> None:
        super().__init__()
        own = copy.deepcopy({"width": width, "layers": layers})
        self.layers = nn.ModuleList(nn.Linear(own["width"], width) for _ in range(own["layers"]))


def test_a_copy_of_a_letter_is_that_letter() -> None:
    total = shapeviz.measure(shapeviz.trace(Copying, vary=["width", "layers"], run=False)).total["params"]
    assert 5 * (9 * 9 + 9) == total.at(width=9, layers=5)


def no_arguments() -> nn.Module:
    return nn.Linear(2, 2)


def required(dim: int, heads: int) -> nn.Module:
    return Block(dim, heads, 4 * dim)


def in_words(size: str = "small", dim: int = 8, dropout: bool = True) -> nn.Module:
    return nn.Linear(dim, 8)


@pytest.mark.parametrize(
    ("make", "vary", "said"),
    [
        (no_arguments, ["dim"], "no_arguments has no argument 'dim' to vary; it has none"),
        (in_words, ["dimm"], "did you mean 'dim'?"),
        (in_words, ["size"], "size is 'small' by default, no integer that could be a letter; its integers are dim"),
        (in_words, ["dropout"], "dropout is a switch by default"),
        (required, ["dim"], "required needs the argument heads as well: --vary dim,heads"),
        (nn.Linear(2, 2), ["in_features"], "vary takes a class or a factory"),
        (in_words, {"dim": "8"}, "there is no letter in it"),
        (in_words, {"dim": 2.5}, "an expression in letters is needed"),
        (lambda dim=3: 3, ["dim"], "returns an int: an nn.Module is needed"),
        (lambda dim=3: exit(dim), ["dim"], "cannot be built with letters for dim: SystemExit"),
        (lambda dim=3: nn.Linear(dim, 1).cuda(), ["dim"], "cannot be built with letters for dim"),
    ],
)  # fmt: skip
def test_a_slip_is_one_message(make: Any, vary: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        shapeviz.trace(make, "float32[B,8]", vary=vary)


def test_arguments_without_defaults_get_sizes_that_the_class_takes() -> None:
    report = shapeviz.measure(shapeviz.trace(required, "float32[B,S,dim]", vary=["dim", "heads"]))
    # norm 2·d, four matrices of d² and their biases, 8·d² + 5·d of the feed-forward network
    assert 12 * Expr.of("dim") ** 2 + 11 * Expr.of("dim") == report.total["params"]


def test_an_expectation_in_the_letters_of_a_class_is_checked() -> None:
    options: dict[str, Any] = {"vary": ["width", "rank"], "returns": "float32[B,width]"}
    check(Low, "float32[B,width]", flops="2*B*width*(width + 2*rank)", **options)
    with pytest.raises(AssertionError, match="Low is not as expected"):
        check(Low, "float32[B,width]", flops="2*B*width*(width + rank)", **options)


def test_the_command_line_takes_classes_with_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["params", "torch.nn:Linear", "--vary", "in_features,out_features=4*k", "--json"])
    assert 0 == result.exit_code, result.stderr
    assert '"4*k*in_features + 4*k"' in result.stdout
    result = CliRunner().invoke(app, ["params", "torch.nn:Linear", "--name", "in_features=3"])
    assert (2, True) == (result.exit_code, "--vary dim,heads" in result.stderr)


def widths(d: int = 32, e: int = 24) -> nn.Module:
    """Widths by what code may ask of a number: its class, its half, a remainder, its text, its place in a table."""
    quotient, rest = divmod(d, e)
    exact = 3 if type(d) is type(e) is int else 100
    table = {"24": 5, "7": 6}.get(f"{e}", 9) + len(str(e)) + (1 if e in {24, 8} else 0)
    return nn.Linear(exact * d, round(d / 4) + quotient + rest + table + round(e * 0.3), bias=False)


def test_what_code_asks_of_a_number_is_answered_as_for_a_plain_one() -> None:
    of_d, of_both = (
        shapeviz.measure(shapeviz.trace(widths, "float32[B,3*d]", vary=vary)).total["params"]
        for vary in (["d"], ["d", "e"])
    )
    assert {"d"} == of_d.expression.names
    assert 96 * 32 == of_both.value  # 8 + 1 + 8 + 5 + 2 + 1 + 7
    for d in (34, 38, 50, 55):
        assert sum(weight.numel() for weight in widths(d).parameters()) == of_d.at(d=d), d


def eighth(depth: int = 12) -> nn.Module:
    return nn.Sequential(*(nn.Linear(4, 4, bias=i >= 7) for i in range(depth)))


def test_a_formula_from_small_values_is_not_believed_where_it_is_wrong_at_the_real_ones() -> None:
    # twelve matrices of 4·4, the last five with biases
    assert 212 == shapeviz.measure(shapeviz.trace(eighth, "float32[B,4]", vary=["depth"])).total["params"].value


BUILT: list[int] = []


def noting(width: int = 4, depth: int = 5000) -> nn.Module:
    """So deep that it would take long to build, with a condition that has no form in our algebra."""
    BUILT.append(int(depth))
    if int(width * 0.4) > 100:
        raise ValueError("too wide")
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))


def test_the_time_that_a_trace_takes_does_not_grow_with_the_depth() -> None:
    BUILT.clear()
    report = shapeviz.measure(shapeviz.trace(noting, "float32[B,width]", vary=["width", "depth"]))
    assert "depth·width² + depth·width" == str(report.total["params"])
    assert 5000 * 20 == report.total["params"].value
    assert max(BUILT) <= 128


def test_formulas_are_compared_with_numbers_at_a_depth_beyond_those_they_were_found_at() -> None:
    # 9 layers of 4·4, from the fourth on with biases; three of each kind are enough to tell them apart
    def fourth(depth: int = 9) -> nn.Module:
        return nn.Sequential(*(nn.Linear(4, 4, bias=i >= 3) for i in range(depth)))

    total = shapeviz.measure(shapeviz.trace(fourth, "float32[B,4]", vary=["depth"])).total["params"]
    for depth in (1, 2, 3, 4, 9, 20):
        assert sum(weight.numel() for weight in fourth(depth).parameters()) == total.at(depth=depth), depth


def test_a_size_set_by_its_argument_is_traced_anew_where_the_formula_does_not_hold() -> None:
    def wide(width: int = 8) -> nn.Module:
        return nn.Linear(2 * width, width if width < 100 else 1, bias=False)

    total = shapeviz.measure(shapeviz.trace(wide, vary={"width": "2*w"}, run=False), ["params"]).total["params"]
    assert 2 * 200 == total.at(width=200)
