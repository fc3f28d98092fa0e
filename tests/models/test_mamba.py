"""Mamba against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
import torch
from covering import covering
from family_proofs import POOL, build, check_counts, drawn, read
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import shapeviz
from shapeviz.errors import SizeError
from shapeviz.expr import Expr
from shapeviz.ir import Block
from shapeviz.report import measure
from shapeviz.verify.recurrent import unrolled


def sample(random: Random) -> dict[str, Any]:
    """Sizes, the rank of the step given or a sixteenth of the width, biases, tying."""
    d_model, expand = random.randint(1, 40), random.randint(1, 3)
    inner = {"intermediate_size": expand * d_model} if random.random() < 0.3 else {}
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": d_model,
        "expand": expand,
        "num_hidden_layers": random.randint(1, 5),
        "state_size": random.randint(1, 20),
        "conv_kernel": random.randint(1, 6),
        "time_step_rank": random.choice(["auto", random.randint(1, 9)]),
        "use_bias": random.random() < 0.5,
        "use_conv_bias": random.random() < 0.5,
        "hidden_act": random.choice(["silu", "gelu"]),
        "tie_word_embeddings": random.random() < 0.5,
        **inner,
    }


def tokens(B: int, S: int) -> torch.Tensor:
    return torch.zeros(B, S, dtype=torch.int64, device="meta")


def counted(module: nn.Module, B: int, S: int) -> int:
    """The FLOPs that PyTorch's counter sees, the recurrence run token by token."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(tokens(B, S), use_cache=False)
    return int(counter.get_total_flops())


def kept(module: nn.Module, B: int) -> int:
    """The elements of the states that stay for later tokens."""
    with torch.no_grad():
        cache = module(tokens(B, 1), use_cache=True).cache_params
    return sum(layer.conv_states[0].numel() + layer.recurrent_states[0].numel() for layer in cache.layers)


def test_counts_equal_transformers() -> None:
    check_counts("mamba", sample)


def test_flops_and_states_equal_what_pytorch_counts_and_keeps() -> None:
    pool = [drawn("mamba", sample, seed, left_out=0) for seed in POOL]
    for seed in covering(pool):
        data, random = pool[seed], Random(seed)
        module, report = build(data), measure(read(data), ["flops", "cache", "kv_cache"])
        B, S = random.randint(1, 3), random.randint(1, 5)
        assert counted(module, B, S) == report.total["flops"].at(B=B, S=S), data
        assert 2 * kept(module, B) == report.total["cache"].at(B=B, S=1) == report.total["cache"].at(B=B, S=10**9), data
        assert report.total["kv_cache"].value == 0


def test_they_are_linear_in_the_length() -> None:
    # so that short lengths prove all: A + C·S, with one more point
    data = drawn("mamba", sample, 1, left_out=0)
    module = build(data)
    cost = [counted(module, 2, S) for S in (2, 5, 8)]
    assert cost[2] - cost[1] == cost[1] - cost[0]
    assert measure(read(data)).total["flops"].at(B=2, S=10**6) == cost[0] + (10**6 - 2) * (cost[1] - cost[0]) // 3


def test_its_proof_does_not_run_a_million_steps() -> None:
    model = shapeviz.read("mamba-130m", seq=10**6)
    checks = shapeviz.verify(model)
    assert [] == [check for check in checks if not check.ok]
    assert "step by step for S = 3, 5, 8" in checks[-1].note


def test_nor_does_it_hold_for_a_formula_that_is_wrong() -> None:
    data = drawn("mamba", sample, 2, left_out=0)
    module, model = build(data), read(data)
    ours = measure(model).total["flops"].subs({n: m for n, m in model.sizes.numbers.items() if n not in "BS"})
    assert unrolled(ours, module).ok
    assert not unrolled(ours + Expr.of("S"), module).ok


def test_what_the_scan_costs() -> None:
    # d_model = 8, d_in = 16, n = 4: y_t = h_t C_t for each of 5 tokens, 2·16·4·5 = 640
    data = {"model_type": "mamba", "hidden_size": 8, "state_size": 4, "num_hidden_layers": 1, "vocab_size": 10}
    (step,) = steps(read(data).root)
    assert Expr.of("S") == step.repeat
    assert 2 * 16 * 4 * 5 == sum(op.flops * step.repeat for op in step.ops).at(B=1, S=5, d_in=16, n=4)


def steps(node: Block) -> list[Block]:
    """The steps of all recurrences."""
    return [node] if node.kind == "state_step" else [step for child in node.blocks for step in steps(child)]


def test_what_it_costs_is_told_by_kind_of_module() -> None:
    report = measure(shapeviz.read("mamba-130m"))
    kinds = report.columns["params"].kinds
    # a layer has 768·1536·3 + 1536·(4 + 1 + 2·48 + 1 + 3·16 + 1) = 3_770_880 in its mixer and 768 in its norm
    assert 24 * 3_770_880 == kinds["state_space"].value
    assert 25 * 768 == kinds["norm"].value
    assert "other" not in kinds


def test_the_rank_of_the_step_is_a_sixteenth_of_the_width_rounded_up() -> None:
    data = {"model_type": "mamba", "hidden_size": 33}
    assert read(data).sizes.numbers["R"] == read(data | {"time_step_rank": "auto"}).sizes.numbers["R"] == 3
    assert read(data | {"time_step_rank": 7}).sizes.numbers["R"] == 7
    with pytest.raises(SizeError, match="time_step_rank = automatic: a positive integer, or auto is needed"):
        read(data | {"time_step_rank": "automatic"})


def test_an_inner_width_that_transformers_would_not_build_is_an_error() -> None:
    with pytest.raises(SizeError, match="intermediate_size = 100: a Mamba of expand = 2 and hidden_size = 32 has 64"):
        read({"model_type": "mamba", "hidden_size": 32, "intermediate_size": 100})
