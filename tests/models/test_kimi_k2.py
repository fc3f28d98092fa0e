"""Kimi K2 against transformers, on random configurations."""

from family_proofs import check_cache, check_counts, check_flops, read
from test_families import sample as sample_of

from shapeviz.report import measure

sample = sample_of("deepseek_v3")
PUBLISHED = {
    "vocab_size": 163840, "num_attention_heads": 64, "num_key_value_heads": 64, "n_routed_experts": 384, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1,
}  # fmt: skip


def test_counts_equal_transformers() -> None:
    check_counts("kimi_k2", sample)


def test_flops_equal_the_trace_as_polynomials() -> None:
    check_flops("kimi_k2", sample, 1)


def test_the_cache_equals_the_one_that_is_filled() -> None:
    check_cache("kimi_k2", sample, 0)


def test_the_published_model_has_a_trillion_parameters() -> None:
    report = measure(read({"model_type": "kimi_k2", **PUBLISHED}), ["params", "active"])
    assert 1_026_408_209_408 == report.total["params"].value
    assert round(report.total["active"].value / 10**9) in (32, 33)  # 32 B and the input's table, as published
