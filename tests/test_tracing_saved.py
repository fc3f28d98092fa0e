"""Bytes saved for the backward pass: the formulas of the literature, and what PyTorch keeps on concrete tensors."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.autograd.graph import saved_tensors_hooks  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from torch_oracles import example  # noqa: E402
from torch_zoo import IDS, PAIR, pretrained, require  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402

B, S, T, N = map(Expr.symbol, "BSTN")
SEQUENCE = {"x": "float32[B,S,24]"}
EXAMPLE = Path(__file__).parent.parent / "examples" / "korthikanti.py"


@cache
def gpt_layer() -> type[nn.Module]:
    """The class of the example's layer."""
    return runpy.run_path(str(EXAMPLE))["Layer"]


def korthikanti(h: int, a: int) -> Expr:
    """Equation 1 of arXiv 2205.05198, and mean and 1/σ of two LayerNorms, which it leaves out."""
    return S * B * h * (34 + 5 * a * S / h) + 8 * S * B


def saved(module: nn.Module, inputs: dict[str, str], path: str = "", **options: Any) -> Expr:
    """The bytes that the model or one of its rows saves, the module's own numbers put in."""
    report = shapeviz.measure(shapeviz.trace(module, saved=True, forward=inputs, **options), ["saved"])
    assert {} == report.not_counted
    found = report.row(path).cells["saved"].each if path else report.total["saved"]
    return found.subs({name: report.sizes.numbers[name] for name in report.sizes.fixed})


def kept(module: nn.Module, *inputs: Tensor, **named: Tensor) -> int:
    """The bytes of all storages that PyTorch saves in a forward pass, but for weights and plain numbers."""
    state = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    found: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if tensor.dim() and storage.data_ptr() not in state:
            found[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        module(*inputs, **named)
    return sum(storage.nbytes() for storage in found.values())


class Stack(nn.Module):
    """Layers one after another, each run by `run`."""

    def __init__(self, layers: list[nn.Module], run: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layers, self.run = nn.ModuleList(layers), run

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.run(layer, x)
        return x


class Cross(nn.Module):
    """Every layer reads the same memory: x + W_q x · (W_k memory)ᵀ (W_v memory)."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList(nn.Linear(24, 24) for _ in range(3)) for _ in range(layers))

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        for query, key, value in self.layers:
            x = x + query(x) @ key(memory).mT @ value(memory)
        return x


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleDict(parts)

    def forward(self, x: Tensor, *further: Tensor) -> Any:
        return self.function(x, *further, **self.parts)


def plainly(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)


def linears(n: int, **options: Any) -> dict[str, nn.Module]:
    return {name: nn.Linear(24, 24, **options) for name in "abc"[:n]}


@pytest.mark.parametrize(("h", "a"), [(64, 4), (1024, 16), (768, 12), (96, 1), (12288, 96)])
def test_a_gpt_layer_saves_what_korthikanti_et_al_derive(h: int, a: int) -> None:
    with torch.device("meta"):
        layer = gpt_layer()(h, a).half()
    assert korthikanti(h, a) == saved(layer, {"x": f"float16[B,S,{h}]"})


@pytest.mark.parametrize("layers", [1, 2, 3, 7])
@pytest.mark.parametrize("fold", [True, False])
def test_a_stack_of_gpt_layers_saves_a_layer_s_bytes_for_each(layers: int, fold: bool) -> None:
    with torch.device("meta"):
        stack = Stack([gpt_layer()(64, 4) for _ in range(layers)], plainly).half()
    assert layers * korthikanti(64, 4) == saved(stack, {"x": "float16[B,S,64]"}, fold=fold)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 5])
@pytest.mark.parametrize("fold", [True, False])
def test_gradient_checkpointing_saves_the_input_of_every_layer(layers: int, reentrant: bool, fold: bool) -> None:
    # 2·s·b·h a layer in fp16 (Korthikanti et al., section 5)
    with torch.device("meta"):
        stack = Stack([gpt_layer()(64, 4) for _ in range(layers)], partial(checkpoint, use_reentrant=reentrant)).half()
    found = saved(stack, {"x": "float16[B,S,64]"}, input_grad=True, fold=fold)
    assert layers * 2 * S * B * 64 == found


@pytest.mark.parametrize(("h", "a", "kv", "f"), [(64, 4, 2, 160), (96, 6, 6, 256), (128, 8, 1, 200)])
def test_a_llama_layer_saves_what_its_closed_form_says(h: int, a: int, kv: int, f: int) -> None:
    # bf16, flash attention, in bytes of an element of [S B h]: two norms keep their input in fp32 (4 + 4), its
    # normalised form (2 + 2) and their result (2 + 2); Q and the result of attention (2 + 2): 20.
    # K and V, narrower by kv/a: 4·kv/a. SiLU's input and result, the other factor, the product, each f/h wider: 8·f/h.
    # Besides, in fp32, the norms' 1/σ: 8·s·b, and log Σ exp of each head: 4·a·s·b.
    require("transformers")
    with torch.device("meta"):
        sizes = {"hidden_size": h, "intermediate_size": f, "num_hidden_layers": 3, "vocab_size": 61}
        heads = {"num_attention_heads": a, "num_key_value_heads": kv, "head_dim": h // a}
        model = pretrained("LlamaForCausalLM", {"attn_implementation": "sdpa"}, {**sizes, **heads})
        model = model.to(torch.bfloat16).train()
    layer = saved(model, {"input_ids": "int64[B,S]"}, "model.layers")
    assert S * B * h * (20 + 4 * Expr.of(kv) / a + 8 * Expr.of(f) / h) + S * B * (4 * a + 8) == layer


# storages


def test_a_tensor_that_three_layers_read_is_counted_once() -> None:
    module = Of(lambda x, a, b, c: a(x) + b(x) + c(x), **linears(3))
    assert 4 * B * S * 24 == saved(module, SEQUENCE)


def test_views_of_a_tensor_are_counted_once_with_it() -> None:
    def forward(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module) -> Tensor:
        return a(x).sum() + b(x.reshape(-1, 24)).sum() + c(x.unsqueeze(1).mT.mT).sum()

    assert 4 * B * S * 24 == saved(Of(forward, **linears(3)), SEQUENCE)


def test_a_view_of_half_a_tensor_keeps_the_whole_storage() -> None:
    module = Of(lambda x, a: a(x[:, :, :24]), **linears(1))
    assert 4 * B * S * 48 == saved(module, {"x": "float32[B,S,48]"})


def test_what_an_operation_in_place_overwrites_is_one_storage() -> None:
    module = Of(lambda x, a, b: b(a(x).relu_()), **linears(2))
    assert 2 * 4 * B * S * 24 == saved(module, SEQUENCE)


@pytest.mark.parametrize("layers", [1, 2, 3, 6])
@pytest.mark.parametrize("fold", [True, False])
def test_a_memory_that_every_layer_reads_is_counted_once_for_the_model(layers: int, fold: bool) -> None:
    # a layer keeps x, and of q [S 24], k [T 24], q kᵀ [S T] and v [T 24]; the memory [T 24] is there once
    found = saved(Cross(layers), {"x": "float32[B,S,24]", "memory": "float32[B,T,24]"}, fold=fold)
    assert 4 * B * (layers * (2 * S * 24 + 2 * T * 24 + S * T) + T * 24) == found


def test_parameters_and_buffers_are_not_counted() -> None:
    norm = nn.BatchNorm1d(24, affine=False).eval()
    # a's input; batch normalisation keeps a's output, and its own running statistics, which are buffers
    assert 2 * 4 * B * 24 == saved(Of(lambda x, a, norm: norm(a(x)), **linears(1), norm=norm), {"x": "float32[B,24]"})


def test_what_is_frozen_and_before_all_that_learns_keeps_nothing() -> None:
    parts = linears(3)
    for name in "ab":
        parts[name].requires_grad_(False)
    module = Of(lambda x, a, b, c: c(torch.relu(b(torch.relu(a(x))))), **parts)
    assert 4 * B * S * 24 == saved(module, SEQUENCE)


def test_a_frozen_layer_after_one_that_learns_keeps_no_input() -> None:
    parts = linears(2)
    parts["b"].requires_grad_(False)
    # a's input for a's weight; b has no use for its input; the ReLU keeps its result
    assert 2 * 4 * B * S * 24 == saved(Of(lambda x, a, b: torch.relu(b(a(x))), **parts), SEQUENCE)


def test_a_frozen_module_keeps_nothing() -> None:
    assert 0 == saved(Of(lambda x, a, b: b(torch.relu(a(x))), **linears(2)).requires_grad_(False), SEQUENCE)


def test_what_runs_without_gradients_keeps_nothing() -> None:
    def forward(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
        with torch.no_grad():
            x = torch.relu(a(x))
        return b(x)

    assert 4 * B * S * 24 == saved(Of(forward, **linears(2)), SEQUENCE)


def test_inputs_that_learn_are_asked_for_by_an_option() -> None:
    module = Of(lambda x: torch.exp(x).sum())
    assert 0 == saved(module, SEQUENCE)
    assert 4 * B * S * 24 == saved(module, SEQUENCE, input_grad=True)


@pytest.mark.parametrize(("dtype", "width"), [("float16", 2), ("bfloat16", 2), ("float32", 4), ("float64", 8)])
def test_a_dropout_mask_takes_one_byte_an_element_in_every_dtype(dtype: str, width: int) -> None:
    module = Of(lambda x, a, dropout: dropout(a(x)), **linears(1), dropout=nn.Dropout(0.3)).to(getattr(torch, dtype))
    assert B * S * 24 * (width + 1) == saved(module, {"x": f"{dtype}[B,S,24]"})


# PyTorch on concrete tensors

GPT = {"n_embd": 24, "n_layer": 3, "n_head": 4, "vocab_size": 61, "n_positions": 64, "attn_pdrop": 0.0}
TEXT = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 61}
T5 = {"d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "vocab_size": 61}
EAGER = {"attn_implementation": "eager"}
IMAGE = {"input": "float32[B,3,H,W]"}


def convolutional() -> nn.Module:
    layers = [nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.SiLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Softmax(-1))


MODULES: dict[str, tuple[Callable[[], nn.Module], dict[str, str]]] = {
    "MLP": (lambda: nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 24)), {"input": "float32[B,S,24]"}),
    "GPT layer": (lambda: Stack([gpt_layer()(24, 4) for _ in range(3)], plainly).eval(), SEQUENCE),
    "convolutional": (convolutional, IMAGE),
    "cross": (lambda: Cross(3), {"x": "float32[B,S,24]", "memory": "float32[B,T,24]"}),
    "GPT-2": (partial(pretrained, "GPT2LMHeadModel", EAGER, GPT), IDS),
    "BERT": (partial(pretrained, "BertModel", EAGER, TEXT), IDS),
    "Llama": (partial(pretrained, "LlamaForCausalLM", EAGER, {**TEXT, "num_key_value_heads": 2, "head_dim": 6}), IDS),
    "T5": (partial(pretrained, "T5ForConditionalGeneration", EAGER, T5), PAIR),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("frozen", ["", "first half"])
def test_the_trace_counts_what_pytorch_keeps(name: str, frozen: str) -> None:
    if name in ("GPT-2", "BERT", "Llama", "T5"):
        require("transformers")
    build, inputs = MODULES[name]
    module = build()
    weights = list(module.parameters())
    for weight in weights[: len(weights) // 2 if frozen else 0]:
        weight.requires_grad_(False)
    found = saved(module, inputs)
    for point in ({"B": 2, "S": 7, "T": 5, "H": 33, "W": 40}, {"B": 3, "S": 12, "T": 11, "H": 50, "W": 37}):
        assert kept(module, **example(module, inputs, point)) == found.at(point)


def attended(x: Tensor, mask: Tensor | None, contiguous: bool) -> Tensor:
    """Fused attention of x with itself, in two heads, laid out before it as [B h S d] or as [B S h d]."""
    q = x.view(*x.shape[:2], 2, 12).transpose(1, 2)
    q = q.contiguous() if contiguous else q
    out = nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=mask)
    return out.transpose(1, 2).reshape(*x.shape)


def resized(x: Tensor, mode: str) -> Tensor:
    return nn.functional.interpolate(x.transpose(1, 2), scale_factor=2, mode=mode).transpose(1, 2)


KERNELS: dict[str, Callable[[nn.Module, Tensor, Tensor], Tensor]] = {
    "queries by head": lambda a, x, mask: a(attended(a(x), None, True)),
    "queries by position": lambda a, x, mask: a(attended(a(x), None, False)),
    "mask": lambda a, x, mask: a(attended(a(x), mask, False)),
    "mask twice": lambda a, x, mask: a(attended(attended(a(x), mask, True), mask, True)),
    "nearest": lambda a, x, mask: a(resized(a(x), "nearest")),
    "linear": lambda a, x, mask: a(resized(a(x), "linear")),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_saves_what_pytorch_s_keeps(name: str) -> None:
    module = Of(lambda x, mask, a: KERNELS[name](a, x, mask), a=nn.Linear(24, 24))
    report = shapeviz.measure(shapeviz.trace(module, "float32[B,S,24]", "bool[B,1,S,S]", saved=True), ["saved"])
    x, mask = torch.randn(2, 8, 24), torch.rand(2, 1, 8, 8) > 0.3
    assert kept(module, x, mask) == report.total["saved"].at(B=2, S=8)


@pytest.mark.parametrize("batch_first", [False, True])
def test_torchs_own_encoder_layer_saves_what_pytorch_s_keeps(batch_first: bool) -> None:
    module = nn.TransformerEncoderLayer(24, 2, 40, dropout=0.0, batch_first=batch_first)
    found = saved(module, {"src": "float32[B,S,24]"}).at(B=2, S=8)
    assert kept(module, torch.randn(2, 8, 24)) == found


def test_a_bilinear_layer_saves_its_inputs_alone() -> None:
    module = Of(lambda x, a, b: b(a(x), a(x)), a=nn.Linear(24, 24), b=nn.Bilinear(24, 24, 3))
    # x, read twice, and the two inputs of the layer
    assert 3 * 4 * 24 * B * S == saved(module, {"x": "float32[B,S,24]"})
