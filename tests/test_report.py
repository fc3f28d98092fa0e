"""The default model, figure by figure, against the hand-made analysis that the project began with."""

import re

import numpy as np
import pytest

import shapeviz
from shapeviz.errors import InputError, SizeError
from shapeviz.expr import Expr

PARAMS = {
    "encoder.layer.self_attention.query": 6 * (1024 * 128 + 128),
    "encoder.layer.self_attention.output": 768 * 1024 + 1024,
    "encoder.layer.self_attention": 6 * 3 * (1024 * 128 + 128) + 768 * 1024 + 1024,
    "encoder.layer.self_attention_norm": 2 * 1024,
    "encoder.layer.feed_forward.linear_1": 1024 * 512 + 512,
    "encoder.layer.feed_forward.linear_2": 512 * 512 + 512,
    "encoder.layer.feed_forward.linear_3": 512 * 1024 + 1024,
    "encoder.layer.feed_forward": 1_312_768,
    "encoder.layer": 4_465_920,
    "decoder.layer": 7_617_024,
    "encoder": 26_795_520,
    "decoder": 60_936_192,
}
SHAPES = {
    "source_ids": (32, 4096),
    "encoder.embedding": (32, 4096, 1024),
    "encoder.layer.self_attention.query": (32, 4096, 768),
    "encoder.layer.self_attention.query_heads": (32, 6, 4096, 128),
    "encoder.layer.self_attention.attention.scores": (32, 6, 4096, 4096),
    "encoder.layer.self_attention.attention.weights": (32, 6, 4096, 4096),
    "encoder.layer.self_attention.attention.weighted_values": (32, 6, 4096, 128),
    "encoder.layer.self_attention.concat": (32, 4096, 768),
    "encoder.layer.self_attention.output": (32, 4096, 1024),
    "encoder.layer.feed_forward.linear_1": (32, 4096, 512),
    "encoder.layer.feed_forward.linear_2": (32, 4096, 512),
    "encoder.layer.feed_forward.linear_3": (32, 4096, 1024),
    "head": (32, 4096, None),
}


@pytest.fixture(scope="module")
def report() -> "shapeviz.report.Report":
    return shapeviz.measure(shapeviz.read())


@pytest.mark.parametrize(("path", "value"), PARAMS.items())
def test_parameters_of_every_block_are_those_worked_out_by_hand(report, path: str, value: int) -> None:
    assert value == report.row(path).cells["params"].value


@pytest.mark.parametrize(("path", "shape"), SHAPES.items())
def test_shapes_of_every_step_are_those_worked_out_by_hand(report, path: str, shape: tuple[int, ...]) -> None:
    assert shape == report.row(path).shape


ATTENTION = [
    ("query", (32, 4096, 768)), ("key", (32, 4096, 768)), ("value", (32, 4096, 768)),
    ("query_heads", (32, 6, 4096, 128)), ("key_heads", (32, 6, 4096, 128)), ("value_heads", (32, 6, 4096, 128)),
    ("scores", (32, 6, 4096, 4096)), ("scale", (32, 6, 4096, 4096)), ("weights", (32, 6, 4096, 4096)),
    ("weighted_values", (32, 6, 4096, 128)), ("concat", (32, 4096, 768)), ("output", (32, 4096, 1024)),
]  # fmt: skip
NORM = [("add", (32, 4096, 1024)), ("norm", (32, 4096, 1024))]
FEED_FORWARD = [("linear_1", (32, 4096, 512)), ("linear_2", (32, 4096, 512)), ("linear_3", (32, 4096, 1024))]
MASKED = [*ATTENTION[:8], ("mask", (32, 6, 4096, 4096)), *ATTENTION[8:]]


@pytest.mark.parametrize(
    ("layer", "walk"),
    [
        ("encoder.layer", [*ATTENTION, *NORM, *FEED_FORWARD, *NORM]),
        ("decoder.layer", [*MASKED, *NORM, *ATTENTION, *NORM, *FEED_FORWARD, *NORM]),
    ],
)
def test_the_walk_through_a_layer_has_the_steps_and_shapes_worked_out_by_hand(report, layer: str, walk: list) -> None:
    steps = [row for row in report.rows if row.path.startswith(layer + ".") and row.step and row.block != "relu"]
    names = [re.sub(r"^\w+_norm$", "norm", re.sub(r"^add_\d$", "add", row.name)) for row in steps]
    assert walk == list(zip(names, [row.shape for row in steps], strict=True))


def test_the_total_is_87_731_712(report) -> None:
    # 6 · 4_465_920 + 8 · 7_617_024 = 26_795_520 + 60_936_192
    assert 6 * 4_465_920 + 8 * 7_617_024 == 87_731_712 == report.total["params"].value


def test_flops_of_two_sequences_of_128_are_twice_the_published_hand_count_of_multiply_adds(report) -> None:
    # B·[6(A + F) + 8(2A + F)], A = 4·S·d·768 + 2·S²·768, F = S·(d·512 + 512² + 512·d)
    B, S, d = 2, 128, 1024
    A, F = 4 * S * d * 768 + 2 * S * S * 768, S * (d * 512 + 512**2 + 512 * d)
    assert 2 * B * (6 * (A + F) + 8 * (2 * A + F)) == 2 * 23_521_656_832 == report.total["flops"].at(B=2, S=128)


def test_flops_are_the_polynomial_that_pytorch_s_symbolic_counter_gives(report) -> None:
    # 18432·B·S² + 24576·B·S·T + 24576·B·T² + 78643200·B·S + 96468992·B·T, measured with FlopCounterMode on SymInts
    B, S, T = map(Expr.of, "BST")
    numbers = {n: v for n, v in report.sizes.numbers.items() if n not in "BST"}
    expected = 18432 * B * S**2 + 24576 * B * S * T + 24576 * B * T**2 + 78643200 * B * S + 96468992 * B * T
    assert expected == report.total["flops"].subs(numbers)


def test_every_row_is_the_sum_of_its_derivation_and_the_total_of_its_rows(report) -> None:
    for row in report.rows:
        for cell in row.cells.values():
            assert cell.each == sum((line.total for line in cell.derivation), Expr())
    for column, total in report.total.items():
        assert total.value == sum(row.cells[column].in_model for row in report.children())


def test_q_k_and_v_of_all_heads_stand_on_one_line_as_one_would_write_it(report) -> None:
    line = report.row("encoder.layer.self_attention").cells["params"].derivation[0]
    assert line.labels == ("query", "key", "value")
    assert line.formula == "3·h·(d_model·d_k + d_k)"
    assert line.substitution == "3 × 6 × (1024 × 128 + 128)"
    assert line.total.value == 2_361_600


def test_without_a_vocabulary_embeddings_and_head_are_traced_and_said_to_be_not_counted(report) -> None:
    assert Expr.of("V") * "d_model" == report.row("encoder.embedding").cells["params"].not_counted
    assert 2 * Expr.of("B") * "T" * "V" * "d_model" == report.not_counted["flops"]
    assert "--vocab" in report.reasons["V"]


@pytest.mark.parametrize(("tie", "tables"), [(True, 1), (False, 3)])
def test_a_vocabulary_is_counted_once_if_tied(tie: bool, tables: int) -> None:
    report = shapeviz.measure(shapeviz.read(vocab=32_000, tie=tie))
    assert 87_731_712 + tables * 32_000 * 1024 == report.total["params"].value
    assert report.not_counted == {}


def test_bert_base_s_encoder_has_the_parameters_of_its_parts() -> None:
    # 12 layers of 7_087_872 (4·768² + 4·768 + 2·768·3072 + 3072 + 768 + 4·768), tables (30522 + 512)·768
    sizes = {"enc": 12, "dec": 0, "d_model": 768, "heads": 12, "ff": [3072], "vocab": 30522, "seq": 512}
    report = shapeviz.measure(shapeviz.read(sizes, positions="learned", max_len=512))
    assert report.total["params"].value == 12 * 7_087_872 + (30_522 + 512) * 768


def test_a_total_can_be_asked_at_other_sizes_and_derives_anew_what_was_derived() -> None:
    total = shapeviz.measure(shapeviz.read(d_model=512, heads=8)).total["params"]
    assert shapeviz.measure(shapeviz.read(d_model=256, heads=8)).total["params"].value == total.at(d_model=256)
    with pytest.raises(SizeError, match="did you mean 'd_model'"):
        total.at(d_modle=256)
    with pytest.raises(SizeError, match="d_v is d_k in this model"):
        total.at(d_v=256)
    for wrong in ({"d_model": 0}, {"h": True}, {"B": -3}, {"S": 1.5}):
        with pytest.raises(SizeError, match="a positive integer is needed"):
            total.at(**wrong)
    with pytest.raises(SizeError, match="d_k = d_model/h = 512/7 is no integer"):
        total.at(h=7)


@pytest.mark.parametrize(
    ("sizes", "path", "equation"),
    [
        ({}, "decoder", "y = DecoderLayer^N_dec(W_E[ids] + PE, m)"),
        ({"enc": 0, "positions": "none"}, "decoder", "y = DecoderLayer^N_dec(W_E[ids])"),
        (
            {"norm_position": "pre", "positions": "learned"},
            "encoder",
            "m = LayerNorm(EncoderLayer^N_enc(W_E[ids] + W_P))",
        ),
        ({"bias": False}, "encoder.layer.self_attention.query", "y = x W"),
        ({}, "encoder.layer.feed_forward", "FFN(x) = max(0, max(0, x W_1 + b_1) W_2 + b_2) W_3 + b_3"),
        ({"bias": False}, "encoder.layer.feed_forward", "FFN(x) = max(0, max(0, x W_1) W_2) W_3"),
        ({"ff": "1,2,3,4"}, "encoder.layer.feed_forward", "FFN(x) = max(0, … max(0, x W_1 + b_1) …) W_n + b_n"),
        (
            {"gated": True, "bias": False},
            "encoder.layer.feed_forward",
            "x ← SiLU(x W_gate) ⊙ x W_up for every hidden width;  FFN(x) = x W_down",
        ),
        (
            {"bias": False, "positions": "rotary", "kv_heads": 2},
            "encoder.layer.self_attention",
            "MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  "
            "head_i = Attention(RoPE(x W_Q^i), RoPE(m W_K^j), m W_V^j),  j = ⌈i·g/h⌉",
        ),
    ],
)
def test_the_equation_is_that_of_the_variant(sizes: dict, path: str, equation: str) -> None:
    assert equation == shapeviz.measure(shapeviz.read(**sizes)).row(path).equation


def test_totals_over_arrays_equal_totals_one_by_one(report) -> None:
    total, widths, layers = report.total["params"], [64, 128, 1024, 2048], [1, 2, 8, 3]
    one_by_one = [total.at(d_model=width, N_dec=layer) for width, layer in zip(widths, layers, strict=True)]
    assert one_by_one == list(total.at(d_model=np.array(widths), N_dec=np.array(layers)))


def test_an_unknown_path_or_column_is_answered_with_the_nearest(report) -> None:
    with pytest.raises(InputError, match=r"did you mean 'encoder\.layer'"):
        report.row("encoder.leyer")
    with pytest.raises(InputError, match="did you mean 'params'"):
        shapeviz.measure(shapeviz.read(), columns=["parms"])


def test_a_report_with_a_ratio_can_be_printed() -> None:
    # a ratio is a fraction, which Python 3.11 cannot write in groups of three
    report = shapeviz.measure(shapeviz.read("gpt2"), ["params", "intensity"])
    value = report.total["intensity"].value
    assert f"params = 124,439,808, intensity = {float(value):,.3f}>" in repr(report)
