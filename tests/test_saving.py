"""What the backward pass keeps, from the tree alone: against autograd, traces and published formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import shapeviz
from shapeviz.errors import InputError
from shapeviz.expr import Expr
from shapeviz.frontends import _families
from shapeviz.ir import Model
from shapeviz.saving import KERNELS, with_saved

torch = pytest.importorskip("torch")

from torch_of_tree import Interpreter  # noqa: E402

SHORT = {"B": 3, "S": 12, "T": 7, "N": 2, "N_enc": 2, "N_dec": 2, "N_dense": 2, "N_moe": 2, "N_sliding": 2, "N_full": 2}

KEYS: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "llama": {"num_key_value_heads": 8, "attention_bias": True},
    "t5": {"feed_forward_proj": "gated-gelu"},
}


def saved(model: Model) -> Any:
    return shapeviz.measure(model, ["saved"]).total["saved"]


def short(model: Model) -> Model:
    """The model at a few layers and tokens, so that PyTorch can run it operation by operation."""
    values = {name: SHORT.get(name, value) for name, value in model.sizes.values.items()}
    return replace(model, sizes=replace(model.sizes, values=values))


@pytest.mark.parametrize("family", _families.names())
def test_bytes_saved_equal_what_autograd_saves_of_the_same_operations(family: str) -> None:
    model = short(shapeviz.read({"model_type": family, **KEYS.get(family, {})}))
    for dtype in ("float32", "bfloat16"):
        narrow = replace(model, dtype=dtype)
        for kernels in KERNELS:
            found = Interpreter(narrow, getattr(torch, dtype), flash=kernels == "flash").bytes_saved()
            assert found == saved(with_saved(narrow, kernels)).value, (dtype, kernels)


@pytest.mark.parametrize(
    "sizes",
    [{}, {"norm_position": "pre", "positions": "learned", "kv_heads": 2, "enc": 0},
     {"gated": True, "norm": "rms", "d_v": 32, "bias": False}],
)  # fmt: skip
def test_a_model_from_sizes_saves_what_the_trace_of_its_plain_module_says(sizes: dict[str, Any]) -> None:
    from shapeviz.verify.twin import twin

    model = shapeviz.read({"heads": 4, "d_model": 256, "d_k": 64, "vocab": 1000, "batch": 2, "seq": 64, **sizes})
    ours = saved(with_saved(model)).expression
    numbers = {name: value for name, value in model.sizes.numbers.items() if name in ours.names - {"B", "S", "T"}}
    assert saved(twin(model, model.origin)).expression == ours.subs(numbers)


def test_attention_by_flash_is_that_of_transformers_but_for_the_tables_of_positions() -> None:
    from shapeviz.verify.twin import twin

    keys = {"hidden_size": 256, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 4,
            "num_key_value_heads": 2, "vocab_size": 1000}  # fmt: skip
    for dtype in ("float32", "bfloat16"):
        model = shapeviz.read({"model_type": "llama", **keys, "dtype": dtype})
        ours = saved(with_saved(model, "flash")).expression
        numbers = {name: value for name, value in model.sizes.numbers.items() if name in ours.names - {"S"}}
        tables = Expr.of("S") * 2 * 64 * (4 if dtype == "float32" else 2)  # cos and sin, [S d_k]
        assert saved(twin(model, model.origin)).expression == ours.subs(numbers) + tables


def test_a_layer_by_flash_keeps_what_was_derived_by_hand() -> None:
    # of transformers' Llama in bfloat16: s·b·h·(20 + 4g/a + 8f/h) + s·b·(4a + 8), where h = a·d_k
    model = shapeviz.read({"model_type": "llama", "dtype": "bfloat16", "num_key_value_heads": 8})
    report = shapeviz.measure(with_saved(model, "flash"), ["saved"])
    B, S, h, g, d_k, d_ff, d_model = map(Expr.of, ("B", "S", "h", "g", "d_k", "d_ff", "d_model"))
    layer = report.row("decoder.layer").cells["saved"].each.expression
    assert layer == B * S * (16 * d_model + 4 * h * d_k + 4 * g * d_k + 8 * d_ff) + B * S * (4 * h + 8)


def test_a_layer_of_gpt_keeps_what_korthikanti_and_others_derived() -> None:
    # eq. 1 of Korthikanti et al. 2022, s·b·h·(34 + 5·a·s/h), has 2 + 1 bytes for a softmax and its dropout's mask, and
    # 2 for the result of that dropout; two more dropouts keep 1 byte each: none is here. PyTorch keeps besides the mask
    # of the scores, and 8 bytes a token for each of two norms
    model = shapeviz.read({"model_type": "gpt2", "dtype": "bfloat16"})
    report = shapeviz.measure(with_saved(model), ["saved"])
    B, S, h, d_k, d_ff, d_model = map(Expr.of, ("B", "S", "h", "d_k", "d_ff", "d_model"))
    layer = report.row("decoder.layer").cells["saved"].each.expression
    without_dropout = B * S * (8 * d_model + 8 * h * d_k + 4 * d_ff) + B * h * S * S * 2
    assert layer == without_dropout + S * S + B * S * 16
    widths = {"d_ff": 4 * d_model, "d_k": d_model / h}
    assert without_dropout.subs(widths) == B * S * d_model * (34 - 2) + B * h * S * S * (5 - 3)


def test_the_tree_of_a_million_layers_is_no_longer_with_what_they_keep() -> None:
    model = shapeviz.read({"model_type": "llama", "num_hidden_layers": 1_000_000})
    assert len(list(with_saved(model).root.body)) == len(list(model.root.body))


def test_an_operation_of_unknown_kind_is_not_counted_and_said_to_be() -> None:
    from shapeviz.ir import Model, Sizes
    from shapeviz.lang import input_, operation, param, record

    def run() -> Any:
        x = input_("x", "B", "d")
        return operation("fft", "FFT(x)", (x @ param("W", "d", "d"),), x.axes)

    model = Model("fft", "FFT", "test", record(run), Sizes({"B": 2, "d": 8}))
    report = shapeviz.measure(with_saved(model), ["saved"])
    assert report.total["saved"].expression == Expr.of("B") * "d" * 4
    assert {"saved": Expr.symbol("m_1")} == dict(report.not_counted)
    assert "'fft'" in report.reasons["m_1"]


def test_kernels_that_are_not_known_are_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'flahs' are not known; did you mean 'flash'"):
        with_saved(shapeviz.read("gpt2"), "flahs")
