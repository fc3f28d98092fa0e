"""The trained model's formulas against its module on random configurations, the module against plain mathematics."""

from random import Random
from typing import Any

import pytest
import torch
from covering import covering
from family_proofs import POOL, fixed, modules, of_paths, owned, read
from torch import Tensor, nn
from torch.nn import functional as F

import shapeviz
from shapeviz.errors import InputError, SizeError
from shapeviz.models.shapeviz_lm import CHOICES
from shapeviz.nets.language_model import LanguageModel, causal_mask, manual_attention
from shapeviz.report import measure
from shapeviz.tracing.configuration import build

SEEDS = range(24)


def sample(random: Random) -> dict[str, Any]:
    """Sizes and every option; some keys are left out."""
    heads = random.choice([1, 2, 3, 4])
    keys = {
        "vocab_size": random.randint(3, 300),
        "hidden_size": heads * 2 * random.randint(1, 8),
        "num_hidden_layers": random.randint(1, 4),
        "num_attention_heads": heads,
        "intermediate_size": random.choice([None, random.randint(1, 200)]),
        "max_position_embeddings": random.randint(2, 80),
        **{key: random.choice(values) for key, values in CHOICES.items()},
        **{key: random.random() < 0.5 for key in ("gated", "qk_norm", "bias", "tie_word_embeddings")},
        "dropout": random.choice([0, 0.1]),
    }
    least = ("hidden_size", "num_attention_heads", "max_position_embeddings", "vocab_size")
    kept = {key: value for key, value in keys.items() if key in least or random.random() > 0.08}
    return {
        "model_type": "shapeviz_lm",
        **kept,
        "architectures": [random.choice(["ShapevizLM", "ShapevizLM", "ShapevizLMModel"])],
    }


def test_counts_equal_the_module() -> None:
    pool = [sample(Random(seed)) for seed in POOL]
    for data in (pool[i] for i in covering(pool)):
        module, model = build(data, data["architectures"][0]), read(data)
        report = measure(model, ["params", "active", "buffers"])
        count = sum(weight.numel() for weight in module.parameters())
        assert (count, count, 0) == tuple(report.total[name].value for name in ("params", "active", "buffers")), data
        parts = dict(module.named_modules())
        for name, paths in modules(model).items():
            if name in parts:
                assert owned(module, parts[name]) == sum(of_paths(report, paths)), (name, data)
        there = {
            "embedding",
            "layers",
            "final_norm",
            *(["positions"] if model.origin.data["positions"] == "learned" else []),
        }
        assert there <= parts.keys()


@pytest.mark.parametrize("seed", range(6))
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    data = sample(Random(seed))
    model = shapeviz.trace(build(data, data["architectures"][0]), "int64[B,S]")
    numbers = {name: number for name, number in model.sizes.numbers.items() if name not in ("B", "S")}
    assert measure(model, ["flops"]).total["flops"].subs(numbers) == fixed(read(data)), data


@pytest.mark.parametrize("seed", range(3))
def test_verify_proves_a_configuration(seed: int) -> None:
    data = sample(Random(seed)) | {"architectures": ["ShapevizLM"]}
    checks = shapeviz.verify(shapeviz.read(data))
    assert [] == [check for check in checks if not check.ok]
    proved = {(check.path, check.quantity) for check in checks if check.found is not None}
    assert {("model", "params"), ("model", "flops"), ("decoder.layer", "params")} <= proved


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_equals_the_one_that_is_filled(seed: int) -> None:
    data = sample(Random(seed)) | {"architectures": ["ShapevizLM"]}
    module, tokens = LanguageModel(data), 2
    cache = module.cache(batch=1)
    with torch.no_grad():
        module(torch.zeros(1, tokens, dtype=torch.int64), cache)
    assert tokens == cache.length
    elements = sum(keys.numel() + values.numel() for keys, values in map(cache.filled, range(len(cache.layers))))
    # two bytes an element are what a cache is usually counted in
    assert 2 * elements == tokens * measure(read(data), ["kv_cache"]).total["kv_cache"].value, data


def plain(module: LanguageModel, ids_BT: Tensor) -> Tensor:
    """The same mathematics in the words of papers: one head, one position after another, nothing merged."""
    c, weights = module.config, dict(module.named_parameters())
    T, D, H = ids_BT.shape[1], c.hidden_size, c.num_attention_heads
    K = D // H

    def scaled(γ: Tensor, x: Tensor) -> Tensor:
        return γ * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    def normed(name: str, x: Tensor) -> Tensor:
        β = weights.get(f"{name}.bias", torch.zeros(()))
        return scaled(weights[f"{name}.weight"], x if c.norm == "rms" else x - x.mean(-1, keepdim=True)) + β

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))

    def turned(x: Tensor, m: int) -> Tensor:
        z = torch.complex(x[..., : K // 2], x[..., K // 2 :])
        z = z * torch.exp(1j * m * 10000.0 ** (-2 * torch.arange(K // 2) / K))
        return torch.cat((z.real, z.imag), -1)

    x = weights["embedding.weight"][ids_BT]
    if c.positions == "learned":
        x = x + weights["positions.weight"][:T]
    elif c.positions == "sinusoidal":
        even = torch.arange(D) // 2 * 2
        angle = torch.arange(T)[:, None] / 10000.0 ** (even / D)
        x = x * D**0.5 + torch.where(torch.arange(D) % 2 == 0, angle.sin(), angle.cos())
    for i in range(c.num_hidden_layers):
        at = f"layers.{i}"
        n = normed(f"{at}.attention_norm", x)
        q, k, v = linear(f"{at}.attention.query_key_value", n).split(D, -1)
        found = torch.zeros_like(x)
        for head in range(H):
            part = slice(head * K, (head + 1) * K)
            Q, keys = q[..., part], k[..., part]
            if c.qk_norm:
                γ = weights[f"{at}.attention.heads_norm.weight"]
                Q, keys = scaled(γ[:K], Q), scaled(γ[K:], keys)
            if c.positions == "rotary":
                Q = torch.stack([turned(Q[:, m], m) for m in range(T)], 1)
                keys = torch.stack([turned(keys[:, m], m) for m in range(T)], 1)
            for t in range(T):
                scores = (Q[:, t, None] * keys[:, : t + 1]).sum(-1) / K**0.5
                found[:, t, part] = (scores.softmax(-1)[..., None] * v[:, : t + 1, part]).sum(1)
        x = x + linear(f"{at}.attention.output", found)
        y = linear(f"{at}.feed_forward.input", normed(f"{at}.feed_forward_norm", x))
        gate, *up = y.chunk(2, -1) if c.gated else (y,)
        match c.activation:
            case "gelu":
                y = gate * torch.distributions.Normal(0, 1).cdf(gate)
            case "silu":
                y = gate / (1 + torch.exp(-gate))
            case "relu2":
                y = gate.clamp(min=0) ** 2
        x = x + linear(f"{at}.feed_forward.output", y * up[0] if up else y)
    y = normed("final_norm", x)
    return y @ weights["embedding.weight" if c.tie_word_embeddings else "head.weight"].T


def stirred(data: dict[str, Any]) -> LanguageModel:
    """A module whose weights are all random, also those that start as 0 or 1, large enough that all matters."""
    torch.manual_seed(0)
    module = LanguageModel({**data, "architectures": ["ShapevizLM"]}).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return module


@pytest.mark.parametrize("attention", ["sdpa", "bmm"])
@pytest.mark.parametrize("seed", SEEDS)
def test_logits_equal_the_mathematics_of_the_papers(seed: int, attention: Any) -> None:
    data = sample(Random(seed))
    module = stirred(data)
    module.attention = attention
    ids = torch.randint(data["vocab_size"], (2, min(7, data["max_position_embeddings"])))
    with torch.no_grad():
        torch.testing.assert_close(module(ids), plain(module, ids), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_tokens_one_by_one_through_a_cache_give_the_logits_of_all_at_once(seed: int) -> None:
    data = sample(Random(seed))
    module, T = stirred(data), min(9, data["max_position_embeddings"])
    module.attention = "bmm" if seed % 2 else "sdpa"
    ids, cache = torch.randint(data["vocab_size"], (3, T)), module.cache(batch=3)
    first, second = T // 2, T // 2 + T // 4
    with torch.no_grad():
        parts = [module(ids[:, start:stop], cache) for start, stop in ((0, first), (first, second)) if stop > start]
        parts += [module(ids[:, t : t + 1], cache) for t in range(second, T)]
        torch.testing.assert_close(torch.cat(parts, 1), module(ids), rtol=1e-4, atol=1e-4)


def test_a_new_model_s_weights_are_those_of_gpt_2_and_its_loss_is_near_chance() -> None:
    torch.manual_seed(0)
    module = LanguageModel({"vocab_size": 65, "hidden_size": 128, "num_hidden_layers": 8})
    for name, weight in module.named_parameters():
        if weight.dim() == 2:
            # residual projections are narrower: 0.02 / √(2·8 layers)
            assert weight.std().item() == pytest.approx(0.02 / 4 if "output" in name else 0.02, rel=0.05), name
        else:
            assert torch.equal(weight, torch.full_like(weight, float(name.endswith("norm.weight")))), name
    ids = torch.randint(65, (4, 65))
    loss = F.cross_entropy(module(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(torch.tensor(65.0).log().item(), abs=0.1)


def test_dropout_acts_in_training_alone() -> None:
    module, ids = LanguageModel({"dropout": 0.5}), torch.zeros(1, 9, dtype=torch.int64)
    for module.attention in ("sdpa", "bmm"):
        assert not torch.equal(module.train()(ids), module(ids))
        assert torch.equal(module.eval()(ids), module(ids))


def test_attention_drops_weights_and_keeps_their_mean() -> None:
    torch.manual_seed(0)
    q, mask = torch.zeros(200, 2, 8, 4), causal_mask(8, 0, torch.zeros(()))
    found = manual_attention(q, q, torch.ones(200, 2, 8, 4), mask, dropout=0.25)
    # the first token has one weight: all of it, divided by 1 - 0.25, or nothing
    torch.testing.assert_close(found[:, :, 0].unique(), torch.tensor([0, 4 / 3]))
    assert found.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(manual_attention(q, q, torch.ones_like(q), mask).round(decimals=5), torch.ones_like(q))


def test_a_tied_head_is_the_embedding_s_own_table() -> None:
    for tied in (True, False):
        module = LanguageModel({"tie_word_embeddings": tied})
        assert isinstance(module.head, nn.Linear)
        assert tied == (module.head.weight is module.embedding.weight)


@pytest.mark.parametrize(
    ("keys", "kind", "told"),
    [
        ({"hidden_size": 100, "num_attention_heads": 3}, SizeError, "nearest: num_attention_heads 2, or hidden_size"),
        ({"hidden_size": 12, "positions": "rotary"}, SizeError, "a head is 3 wide; nearest: hidden_size 16"),
        ({"positions": "rotatory"}, InputError, "did you mean 'rotary'"),
        ({"norm": "rmsnorm"}, InputError, "did you mean 'rms'"),
        ({"activation": "relu"}, InputError, "did you mean 'relu2'"),
        ({"dropout": 1}, InputError, "dropout = 1: a number from 0 to below 1 is needed"),
        ({"dropout": -0.1}, InputError, "dropout = -0.1"),
        ({"hidden": 3}, InputError, "did you mean"),
    ],
)  # fmt: skip
def test_impossible_values_are_refused_with_what_would_do(keys: dict[str, Any], kind: type, told: str) -> None:
    with pytest.raises(kind, match=told):
        shapeviz.read({"model_type": "shapeviz_lm", **keys})
