"""The transformer of 2017 against torch.nn.Transformer with one embedding, on random configurations."""

from random import Random
from typing import Any

import pytest
import torch
from covering import covering
from family_proofs import POOL, fixed, modules, of_paths, owned, read
from torch import Tensor, nn

import shapeviz
from shapeviz.report import measure

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")


class Oracle(nn.Module):
    """PyTorch's own transformer between an embedding and a head."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        self.embed = nn.Embedding(c["vocab_size"], c["d_model"])
        self.transformer = nn.Transformer(
            c["d_model"],
            c["num_heads"],
            c["encoder_layers"],
            c["decoder_layers"],
            c["d_ff"],
            batch_first=True,
            bias=c["bias"],
        )
        if not c["final_norm"]:
            self.transformer.encoder.norm = self.transformer.decoder.norm = None
        if c["architectures"] == ["Transformer"]:
            self.lm_head = nn.Linear(c["d_model"], c["vocab_size"], bias=False)
            if c["tie_word_embeddings"]:
                self.lm_head.weight = self.embed.weight

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> Tensor:
        y = self.transformer(self.embed(source_ids), self.embed(target_ids))
        return self.lm_head(y) if hasattr(self, "lm_head") else y


def sample(random: Random) -> dict[str, Any]:
    """Sizes, two depths, biases, tying, final norms."""
    h = random.choice([1, 2, 3, 4])
    return {
        "model_type": "vaswani",
        "vocab_size": random.randint(3, 300),
        "d_model": h * random.randint(1, 16),
        "d_ff": random.randint(1, 200),
        "num_heads": h,
        "encoder_layers": random.randint(1, 4),
        "decoder_layers": random.randint(1, 4),
        "tie_word_embeddings": random.random() < 0.5,
        "bias": random.random() < 0.7,
        "final_norm": random.random() < 0.7,
        "architectures": [random.choice(["Transformer", "TransformerModel"])],
    }


def build(data: dict[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return Oracle(data).eval()


def test_counts_equal_pytorch() -> None:
    pool = [sample(Random(seed)) for seed in POOL]
    for data in (pool[i] for i in covering(pool)):
        module, model = build(data), read(data)
        report = measure(model, ["params", "active", "buffers"])
        count = sum(weight.numel() for weight in module.parameters())
        assert (count, count, 0) == tuple(report.total[name].value for name in ("params", "active", "buffers")), data
        parts = dict(module.named_modules())
        for name, paths in modules(model).items():
            part = parts.get(name) or parts.get(f"transformer.{name}")
            if part is not None:
                assert owned(module, part) == sum(of_paths(report, paths)), (name, data)


@pytest.mark.parametrize("seed", [1, 2])
def test_flops_equal_the_trace_as_polynomials(seed: int) -> None:
    data = sample(Random(seed))
    model = shapeviz.trace(build(data), source_ids="int64[B,S]", target_ids="int64[B,T]")
    numbers = {name: number for name, number in model.sizes.numbers.items() if name not in ("B", "S", "T")}
    assert measure(model, ["flops"]).total["flops"].subs(numbers) == fixed(read(data)), data


def test_the_cache_grows_with_the_target_alone() -> None:
    # 2·6 layers·8 heads·64·2 bytes a token of the target, and as much, once, a token of the source
    report = measure(read({"model_type": "vaswani"}), ["kv_cache", "cache"])
    assert 2 * 6 * 8 * 64 * 2 == report.total["kv_cache"].value
    assert 12288 * (10 + 7) == report.total["cache"].at(B=1, S=10, T=7)
