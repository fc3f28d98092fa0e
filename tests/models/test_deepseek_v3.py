"""DeepSeek-V3 against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_cache, check_counts, check_flops, read

from shapeviz.errors import SizeError
from shapeviz.ir import Block, Op
from shapeviz.report import measure


def sample(random: Random) -> dict[str, Any]:
    """Sizes, latents, biases, groups of experts, which layers have them, and tying."""
    groups, heads, depth = random.randint(1, 4), random.randint(1, 6), random.randint(1, 5)
    experts = groups * random.randint(2, 4)
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": random.randint(1, 100),
        "intermediate_size": random.randint(1, 200),
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "attention_bias": random.random() < 0.3,
        "first_k_dense_replace": random.randint(0, depth + 1),
        "kv_lora_rank": random.randint(1, 50),
        "q_lora_rank": random.choice([None, random.randint(1, 50)]),
        "qk_nope_head_dim": random.randint(1, 20),
        "qk_rope_head_dim": 2 * random.randint(1, 8),
        "v_head_dim": random.randint(1, 20),
        "n_routed_experts": experts,
        "n_shared_experts": random.randint(0, 3),
        "num_experts_per_tok": random.randint(1, experts),
        "n_group": groups,
        "topk_group": random.randint(1, groups),
        "norm_topk_prob": random.random() < 0.5,
        "moe_intermediate_size": random.randint(1, 100),
        "tie_word_embeddings": random.random() < 0.5,
        "num_labels": random.randint(1, 5),
    }


def test_counts_equal_transformers() -> None:
    check_counts("deepseek_v3", sample)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    check_flops("deepseek_v3", sample, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    check_cache("deepseek_v3", sample, seed)


def test_a_trillion_parameters_are_no_more_to_record_than_those_of_a_small_model() -> None:
    sizes = {"hidden_size": 10**5, "num_hidden_layers": 10**9, "n_routed_experts": 8 * 10**6, "vocab_size": 10**7}
    small, large = read({"model_type": "deepseek_v3"}), read({"model_type": "deepseek_v3", **sizes})
    assert measure(large).total["params"].value > 10**12
    assert nodes(small.root) == nodes(large.root)
    assert len(measure(small).rows) == len(measure(large).rows)
    # gpt2 has one kind of layer with two sublayers, DeepSeek-V3 two kinds, one of them with experts
    assert nodes(large.root) < 4 * nodes(read({"model_type": "gpt2"}).root)


def nodes(node: Block | Op) -> int:
    """Blocks and operations of a tree."""
    return 1 + sum(nodes(child) for child in node.body) if isinstance(node, Block) else 1


def test_modules_that_predict_further_tokens_are_said_not_to_be_counted() -> None:
    plain = read({"model_type": "deepseek_v3"})
    more = read({"model_type": "deepseek_v3", "num_nextn_predict_layers": 1})
    assert measure(plain).total["params"].value == measure(more).total["params"].value
    assert [note for note in more.notes if "num_nextn_predict_layers = 1" in note]
    assert not [note for note in plain.notes if "num_nextn" in note]


def test_groups_of_experts_that_do_not_divide_are_an_error() -> None:
    with pytest.raises(SizeError, match="n_routed_experts = 100 is no multiple of n_group = 8"):
        read({"model_type": "deepseek_v3", "n_routed_experts": 100})
