"""FLOPs of the backward pass: what PyTorch counts on concrete tensors, or by hand where PyTorch is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from torch_oracles import example, tensors  # noqa: E402
from torch_zoo import IDS, pretrained, require  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402

B, S, H, W = map(Expr.symbol, "BSHW")
POINTS = ({"B": 2, "S": 7, "T": 5, "H": 33, "W": 40}, {"B": 3, "S": 12, "T": 11, "H": 50, "W": 37})
ROWS = {"input": "float32[B,S,24]"}
SOURCE = {"src": ROWS["input"]}
PAIR = {"x": "float32[B,S,24]", "y": "float32[B,24,T]"}
IMAGE = {"input": "float32[B,6,H,W]"}
Inputs = dict[str, str]


def traced(module: nn.Module, inputs: Inputs, **options: Any) -> Expr:
    report = shapeviz.measure(shapeviz.trace(module, forward=inputs, **options))
    assert {} == report.not_counted
    return report.total["flops"].expression


def counted(module: nn.Module, inputs: Inputs, point: dict[str, int], input_grad: bool = False) -> int:
    """What FlopCounterMode counts of a pass forward, and back from the sum of all outputs."""
    given = example(module, inputs, point)
    for tensor in given.values():
        tensor.requires_grad_(input_grad and tensor.is_floating_point())
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        outputs = [output.sum() for output in tensors(module(**given)) if output.requires_grad]
        torch.autograd.backward(outputs)
    return counter.get_total_flops()


class Of(nn.Module):
    """A function of the inputs, and of modules and weights, as a module."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module, **weights: Sequence[int]) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)
        self.weights = nn.ParameterDict({name: nn.Parameter(torch.rand(*sizes)) for name, sizes in weights.items()})

    def forward(self, **inputs: Tensor) -> Any:
        return self.function(*self.parts, **inputs, **self.weights)


class Stack(nn.Module):
    """Layers one after another, each run anew by the backward pass."""

    def __init__(self, reentrant: bool, layers: Iterator[nn.Module]) -> None:
        super().__init__()
        self.reentrant, self.first, self.layers = reentrant, nn.Linear(24, 24), nn.ModuleList(layers)

    def forward(self, input: Tensor) -> Tensor:
        x = self.first(input)
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=self.reentrant)
        return x


def mlp(frozen: Sequence[int] = ()) -> nn.Module:
    widths = (24, 40, 56, 32, 8)
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    for i in frozen:
        layers[i].requires_grad_(False)
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.GELU())))


def encoder(layers: int = 1, **options: Any) -> nn.Module:
    layer = nn.TransformerEncoderLayer(24, 4, 40, 0.0, batch_first=True, **options)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def attention(mha: nn.Module, input: Tensor, need_weights: bool = True) -> Any:
    return mha(input, input, input, need_weights=need_weights)[0]


def decoder_of(frozen: str) -> nn.Module:
    """GPT-2, small and in three layers; what has the word in its name is frozen."""
    sizes = {"n_embd": 24, "n_layer": 3, "n_head": 4, "vocab_size": 61, "n_positions": 64}
    model = pretrained("GPT2LMHeadModel", {}, sizes)
    for name, weight in model.named_parameters():
        weight.requires_grad_(not frozen or frozen not in name)
    return model


MODULES: dict[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "MLP": (mlp, ROWS),
    "MLP, first layer frozen": (partial(mlp, [0]), ROWS),
    "MLP, middle layers frozen": (partial(mlp, [1, 2]), ROWS),
    "MLP, last layer frozen": (partial(mlp, [3]), ROWS),
    "MLP, first two and last frozen": (partial(mlp, [0, 1, 3]), ROWS),
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 5, (3, 5), (1, 2))),
                     IMAGE),
    "convolution dilated": (lambda: nn.Sequential(nn.Conv2d(6, 8, 3, dilation=2), nn.Conv2d(8, 5, 1)), IMAGE),
    "convolution frozen": (lambda: nn.Sequential(nn.Conv2d(6, 8, 3).requires_grad_(False), nn.Conv2d(8, 5, 3)), IMAGE),
    "convolution 1d": (lambda: nn.Sequential(nn.Conv1d(6, 8, 3, 2), nn.Conv1d(8, 5, 3)), {"input": "float32[B,6,W]"}),
    "convolution 3d": (lambda: nn.Conv3d(6, 5, 3, 2), {"input": "float32[B,6,S,H,W]"}),
    "MultiheadAttention": (lambda: Of(attention, nn.MultiheadAttention(24, 4, batch_first=True)), ROWS),
    "MultiheadAttention without weights": (
        lambda: Of(partial(attention, need_weights=False), nn.MultiheadAttention(24, 4)), ROWS),
    "encoder": (partial(encoder, 3), SOURCE),
    "encoder, norm first": (partial(encoder, 2, norm_first=True), SOURCE),
    "scaled dot product": (lambda: Of(lambda q, k, x: F.scaled_dot_product_attention(q(x), k(x), x),
                                      nn.Linear(24, 8), nn.Linear(24, 8)), {"x": "float32[B,4,S,24]"}),
    "einsum of two": (lambda: Of(lambda input, w: torch.einsum("bsd,hde->bhse", input, w), w=(4, 24, 6)), ROWS),
    "einsum of three": (lambda: Of(lambda x, y, w: torch.einsum("bsd,de,bet->bst", x, w, y), w=(24, 24)), PAIR),
    "bmm": (lambda: Of(lambda a, x, y: torch.bmm(a(x), y), nn.Linear(24, 24)), PAIR),
    "baddbmm": (lambda: Of(lambda a, x, y: torch.baddbmm(a(x)[..., :1], a(x), y), nn.Linear(24, 24)), PAIR),
    "addmm and mm": (lambda: Of(lambda x, w, v, b: torch.addmm(b, x, w).mm(v), w=(24, 9), v=(9, 5), b=(9,)),
                     {"x": "float32[S,24]"}),
    "matmul of many axes": (lambda: Of(lambda x, w: x @ w, w=(4, 24, 6)), {"x": "float32[B,4,S,24]"}),
}  # fmt: skip
MODELS: dict[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "GPT-2": (partial(decoder_of, ""), IDS),
    "GPT-2, attention frozen": (partial(decoder_of, "attn"), IDS),
    "GPT-2, embeddings and head frozen": (partial(decoder_of, "wte"), IDS),
    "GPT-2, first layer frozen": (partial(decoder_of, "h.0."), IDS),
    "GPT-2, last layer frozen": (partial(decoder_of, "h.2."), IDS),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("input_grad", [False, True])
def test_a_pass_forward_and_back_costs_what_pytorch_counts(name: str, input_grad: bool) -> None:
    build, inputs = MODULES[name]
    module = build()
    found = traced(module, inputs, training=True, input_grad=input_grad)
    for point in POINTS:
        assert counted(module, inputs, point, input_grad) == Expr.at(found, point)


@pytest.mark.parametrize(
    ("name", "fold"), [*((name, True) for name in MODELS), ("GPT-2", False), ("GPT-2, first layer frozen", False)]
)
def test_a_language_model_costs_what_pytorch_counts(name: str, fold: bool) -> None:
    require("transformers")
    build, inputs = MODELS[name]
    module = build()
    found = traced(module, inputs, training=True, fold=fold)
    for point in POINTS:
        assert counted(module, inputs, point) == Expr.at(found, point)


@pytest.mark.parametrize(
    ("kind", "fold", "reentrant"),
    [("encoder", True, False), ("encoder", False, True), ("MLP", True, True), ("MLP", False, False)],
)
def test_what_checkpointing_runs_again_is_counted(kind: str, reentrant: bool, fold: bool) -> None:
    build = encoder if kind == "encoder" else lambda: nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.Linear(40, 24))
    module = Stack(reentrant, (build() for _ in range(3)))
    found = traced(module, ROWS, training=True, fold=fold)
    for point in POINTS:
        assert counted(module, ROWS, point) == Expr.at(found, point)


def test_what_is_frozen_wholly_costs_its_forward_pass() -> None:
    module = mlp([0, 1, 2, 3])
    assert 2 * B * S * (24 * 40 + 40 * 56 + 56 * 32 + 32 * 8) == traced(module, ROWS, training=True)
    # with gradients of the inputs asked for, each layer costs as much again
    assert 4 * B * S * (24 * 40 + 40 * 56 + 56 * 32 + 32 * 8) == traced(module, ROWS, training=True, input_grad=True)


@pytest.mark.parametrize("input_grad", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize(("kind", "padding"), [(nn.Conv2d, 0), (nn.Conv2d, 1), (nn.ConvTranspose2d, 1)])
def test_a_grouped_or_transposed_convolution_costs_as_much_again_for_each_gradient(
    kind: Any, padding: int, groups: int, input_grad: bool
) -> None:
    """By hand: FlopCounterMode takes the gradient of a grouped convolution's weight `groups` times.

    Every weight meets every position of the output, or of the input of a transposed convolution, once forward and
    once for each of the gradients of the input and the weight.
    """
    module = kind(6, 12, 3, 2, padding, groups=groups)
    positions = (
        H * W if kind is nn.ConvTranspose2d else ((H + 2 * padding - 3) // 2 + 1) * ((W + 2 * padding - 3) // 2 + 1)
    )
    once = 2 * B * 6 * 12 // groups * 9 * positions
    assert once == traced(module, IMAGE)
    assert (3 if input_grad else 2) * once == traced(module, IMAGE, training=True, input_grad=input_grad)


def test_pytorch_counts_the_backward_pass_of_a_grouped_convolution_otherwise() -> None:
    # the day this fails, grouped convolutions can be compared with PyTorch
    module, point = nn.Conv2d(6, 12, 3, groups=3), POINTS[0]
    once = 2 * 2 * 2 * 12 * 9 * 31 * 38
    assert once * 2 < counted(module, IMAGE, point)


@pytest.mark.parametrize("input_grad", [False, True])
@pytest.mark.parametrize(("layers", "both"), [(1, False), (3, False), (2, True)])
@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_a_recurrent_layer_costs_its_closed_form(
    kind: Any, gates: int, layers: int, both: bool, input_grad: bool
) -> None:
    """By hand, since the fused kernels count as nothing: W_i x and W_h h at every position, of every layer and way.

    Each product costs as much again for the gradient of its matrix, and for that of the vector: but for the input of
    the first layer, if no gradient of it is asked for.
    """
    module = kind(24, 10, layers, bidirectional=both, batch_first=True)
    ways = 1 + both
    first, rest = 24 + 10, (layers - 1) * (ways * 10 + 10)
    once = 2 * B * S * gates * 10 * ways * (first + rest)
    assert once == traced(module, ROWS)
    unasked = 0 if input_grad else 2 * B * S * gates * 10 * ways * 24
    assert 3 * once - unasked == traced(module, ROWS, training=True, input_grad=input_grad)


@pytest.mark.parametrize("name", ["einsum of two", "einsum of three", "baddbmm"])
def test_the_forward_pass_alone_costs_what_pytorch_counts(name: str) -> None:
    build, inputs = MODULES[name]
    module = build()
    for point in POINTS:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(**example(module, inputs, point))
        assert counter.get_total_flops() == Expr.at(traced(module, inputs), point)
