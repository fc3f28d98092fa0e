"""ViT against transformers, on random configurations."""

from random import Random
from typing import Any

import pytest
from family_proofs import check_counts, check_flops

from shapeviz.models.vit import CLASSES


def sample(random: Random, name: str = "", image: tuple[int, int] | None = None) -> dict[str, Any]:
    """Sizes, images and patches of one side or two, channels, biases, the pooler."""
    h = random.choice([1, 2, 3, 4])
    sides = random.choice([24, [24, 24], [24, 31]])
    return {
        "hidden_size": h * random.randint(1, 16),
        "num_hidden_layers": random.randint(1, 5),
        "num_attention_heads": h,
        "intermediate_size": random.randint(1, 200),
        "hidden_act": random.choice(["gelu", "relu"]),
        "image_size": list(image) if image else sides,
        "patch_size": random.choice([4, 7, [4, 4], [3, 5]]),
        "num_channels": random.randint(1, 4) if not image else 3,
        "qkv_bias": random.random() < 0.7,
        "pooler_output_size": random.choice([None, random.randint(1, 50)]),
        "pooler_act": random.choice(["tanh", "gelu"]),
        "num_labels": random.randint(1, 5),
        **({"head_dim": random.randint(1, 9)} if random.random() < 0.2 else {}),
        "architectures": [name or random.choice(list(CLASSES))],
    }


def test_counts_equal_transformers() -> None:
    check_counts("vit", sample)


@pytest.mark.parametrize("image", [(32, 32), (20, 45)])
@pytest.mark.parametrize("name", CLASSES)
def test_flops_equal_the_trace_as_polynomials(name: str, image: tuple[int, int]) -> None:
    height, width = image
    inputs = {"pixel_values": f"float32[B,3,{height},{width}]"}
    check_flops("vit", lambda random: sample(random, name, image), 0, inputs)
