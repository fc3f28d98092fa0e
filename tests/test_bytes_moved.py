"""Bytes moved and intensity: hand counts, every operation of a run of PyTorch, and the unrolled tree, counted apart."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

import shapeviz
from shapeviz.blocks.attention import attention
from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.ir import Block, Model, Node, Sizes
from shapeviz.lang import block, record, source
from shapeviz.quotient import Quotient
from shapeviz.verify.reference_transformer import build

B, S, T, h, d_k, d, b_w, b_a = map(Expr.of, ("B", "S", "T", "h", "d_k", "d", "b_w", "b_a"))


def moved(function: Any, *columns: str, **sizes: int) -> Any:
    root = record(block(function))
    report = shapeviz.measure(Model("test", "test", "", root, Sizes(sizes)), columns or ("bytes_moved",))
    return report.total if columns else report.total["bytes_moved"]


def test_a_linear_layer_reads_x_w_and_b_once_and_writes_y() -> None:
    # x B·S·d, W d·4d, b 4d, y B·S·4d: the bias is added while y is written
    def affine() -> Any:
        return linear(source("x", B, S, d), 4 * d)

    total = moved(affine, B=2, S=8, d=3)
    assert total == B * S * d * b_a + (4 * d**2 + 4 * d) * b_w + 4 * B * S * d * b_a
    # 2·8·3·4 + (36 + 12)·4 + 2·8·12·4 = 192 + 192 + 768
    assert 1152 == total.value


def test_attention_reads_q_k_v_and_passes_the_scores_three_times() -> None:
    # Q Kᵀ: reads Q and K, writes B·h·S·T; / √d_k and softmax: each reads and writes them; P V: reads them and V, writes
    def attend() -> Any:
        return attention(source("Q", B, h, S, d_k), source("K", B, h, T, d_k), source("V", B, h, T, d_k))

    scores, query, key = B * h * S * T, B * h * S * d_k, B * h * T * d_k
    expected = (query + key + scores) + 2 * scores + 2 * scores + (scores + key + query)
    assert moved(attend, B=1, h=1, S=1, T=1, d_k=1) == expected * b_a


def test_intensity_is_the_exact_quotient() -> None:
    # FLOPs 2·B·S·d·4d over the bytes above; at B = 2, S = 8, d = 3: 1152 FLOPs over 1152 bytes
    def affine() -> Any:
        return linear(source("x", B, S, d), 4 * d)

    total = moved(affine, "flops", "bytes_moved", "intensity", B=2, S=8, d=3)
    assert total["intensity"] == Quotient.of(8 * B * S * d**2, 5 * B * S * d * b_a + (4 * d**2 + 4 * d) * b_w)
    assert 1 == total["intensity"].value
    assert Fraction(total["flops"].at(S=9), total["bytes_moved"].at(S=9)) == total["intensity"].at(S=9)


def test_a_row_that_multiplies_nothing_has_intensity_zero() -> None:
    report = shapeviz.measure(shapeviz.read(), ["intensity"])
    assert 0 == report.row("encoder.layer.add").cells["intensity"].value
    row = report.row("encoder.layer.self_attention.attention.scores")
    # 2·d_k FLOPs an element of the scores, over (Q + K + scores)·4 bytes: 2·S²·128 / ((2·S·128 + S²)·4), S = 4096
    assert Fraction(2 * 4096**2 * 128, (2 * 4096 * 128 + 4096**2) * 4) == row.cells["intensity"].value
    assert 1 == row.cells["intensity"].instances.value


class Bytes(TorchFunctionMode):
    """The oracle: of every function of PyTorch the bytes of the tensors that it reads and makes.

    What lives in the storage of an input is a view; an embedding reads the rows that it gives.
    """

    total = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        read = {id(t): t for t in (*args, *(kwargs or {}).values()) if isinstance(t, torch.Tensor)}
        if isinstance(result, torch.Tensor) and read and func.__name__ != "__get__":
            owned = {t.untyped_storage().data_ptr() for t in read.values()}
            if result.untyped_storage().data_ptr() not in owned:
                gathered = func is torch.nn.functional.embedding
                whole = [t for t in read.values() if not (gathered and isinstance(t, torch.nn.Parameter))]
                self.total += sum(t.numel() * t.element_size() for t in (*whole, result))
                self.total += result.numel() * result.element_size() * gathered
        return result


@pytest.mark.parametrize(
    "flags",
    [{}, {"bias": False, "norm": "rms"}, {"gated": True, "norm_position": "pre"}, {"heads": 2, "d_k": 5, "d_v": 3}],
)
def test_an_encoder_moves_what_every_function_of_a_run_of_pytorch_reads_and_writes(flags: dict[str, Any]) -> None:
    sizes = {
        "enc": 3,
        "dec": 0,
        "d_model": 12,
        "heads": 3,
        "ff": "7,9",
        "vocab": 11,
        "positions": "none",
        "batch": 2,
        "seq": 6,
    }
    model = shapeviz.read(**{**sizes, "positions": "none", **flags})
    config = model.origin.config
    module = build(config).to_empty(device="cpu")
    ids = torch.randint(11, (2, 6))
    with torch.no_grad(), Bytes() as seen:
        module(ids)
    assert seen.total == shapeviz.measure(model, ["bytes_moved"]).total["bytes_moved"].value


def unrolled(node: Node, numbers: dict[str, int]) -> int:
    """The bytes of a tree, every run of every block for itself, in integers."""
    if isinstance(node, Block):
        return sum(unrolled(inner, numbers) for _ in range(node.repeat.at(numbers)) for inner in node.body)

    def bytes_of(tensor: Any, shape: Any) -> int:
        return prod(size.at(numbers) for size in shape) * (8 if tensor.dtype == "int64" else 4)

    if node.kind == "input":
        return 0
    lookup = node.kind == "lookup"
    reads = {t: t.shape for t in (node.inputs[1:] if node.view else node.inputs)}
    read = sum(bytes_of(t, node.output.shape if lookup and t.role == "param" else shape) for t, shape in reads.items())
    return read + (0 if node.view else bytes_of(node.output, node.output.shape))


@pytest.mark.parametrize("name", ["gpt2", "t5-small", "qwen3-0.6b", "albert-base-v2", "deepseek-v2-lite"])
def test_a_bundled_model_moves_what_its_unrolled_tree_does(name: str) -> None:
    model = shapeviz.read(name, sizes={"S": 16})
    total = shapeviz.measure(model, ["bytes_moved"]).total["bytes_moved"]
    assert unrolled(model.root, {**model.sizes.numbers, "b_w": 4, "b_a": 4}) == total.value


def test_bytes_follow_the_dtype_that_a_configuration_names_and_sizes_that_are_given() -> None:
    data = {"model_type": "gpt2", "n_layer": 2, "torch_dtype": "bfloat16"}
    report = shapeviz.measure(shapeviz.read(data), ["bytes_moved", "kv_cache"])
    assert (2, 2, 2) == tuple(report.sizes.numbers[name] for name in ("b_w", "b_a", "b_kv"))
    assert report.columns["bytes_moved"].convention.endswith("b_a = 2, b_w = 2 (bfloat16)")
    plain = shapeviz.measure(shapeviz.read({**data, "torch_dtype": None}), ["bytes_moved", "kv_cache"])
    assert (4, 4, 2) == tuple(plain.sizes.numbers[name] for name in ("b_w", "b_a", "b_kv"))
    assert plain.total["bytes_moved"].at(b_w=2, b_a=2) == report.total["bytes_moved"].value
    one = shapeviz.measure(shapeviz.read(data, sizes={"b_w": 1}), ["bytes_moved"])
    assert (1, 2) == tuple(one.sizes.numbers[name] for name in ("b_w", "b_a"))


def test_a_traced_module_moves_what_its_functions_read_and_write() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Flatten(0, 1), torch.nn.ReLU()).double()
    model = shapeviz.trace(module, "float64[B,S,8]", sizes={"B": 3, "S": 5})
    # float64 is 8 bytes whatever b_w: x 15·8, W 128, b 16, y 15·16; relu reads and writes y; flatten is a view
    assert 8 * (120 + 128 + 16 + 240 + 480) == shapeviz.measure(model, ["bytes_moved"]).total["bytes_moved"].value
