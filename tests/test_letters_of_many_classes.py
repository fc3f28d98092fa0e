"""Classes of transformers: formulas in their keys equal fresh instances at 25 sizes each, some torch's counter at two.

Each is traced once with all integer keys as letters; then it is built with numbers drawn at random, on the meta device,
and counted by PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")
import torch  # noqa: E402
from transformers.models.auto import modeling_auto  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import ShapevizError  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.tracing import trace  # noqa: E402
from shapeviz.tracing.blueprint import Blueprint  # noqa: E402
from shapeviz.tracing.configuration import plan  # noqa: E402
from shapeviz.verify.all_sizes.classes import _run  # noqa: E402
from shapeviz.verify.class_proof import _drawn  # noqa: E402

CLASSES = {
    "causal": "llama mistral qwen2 qwen3 gemma gemma2 phi phi3 gpt2 gpt_neox gptj opt codegen bloom falcon mpt"
    " gpt_bigcode olmo olmo2 cohere granite glm glm4 helium ernie4_5 stablelm biogpt seed_oss mixtral olmoe phimoe"
    " jetmoe qwen3_moe",
    "encoder": "bert roberta distilbert electra mpnet deberta",
    "encoder-decoder": "t5 mt5 marian",
    "vision": "vit deit dinov2 resnet beit",
    "audio": "audio-spectrogram-transformer hubert whisper",
    "state space": "mamba mamba2 rwkv",
}  # fmt: skip
LEAST = {"causal": 25, "encoder": 5, "encoder-decoder": 3, "vision": 4, "audio": 2, "state space": 1}
TYPES = [kind for kinds in CLASSES.values() for kind in kinds.split()]
NAMED = {
    "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "encoder": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "encoder-decoder": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "vision": modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    "audio": {
        **modeling_auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES, **modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES,
        **modeling_auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
    },
    "state space": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
}  # fmt: skip
RUN = ["opt", "gpt2", "mixtral", "distilbert", "electra", "t5", "vit", "dinov2", "resnet"]
"""Types whose FLOPs are counted as well: those that can be run in seconds."""
LENGTHS = {"B": 2, "S": 9, "T": 5}
POINTS, COUNTED, TRIES = 25, 2, 2000
Point = tuple[dict[str, int], torch.nn.Module]


def sizes_drawn(blueprint: Blueprint, model: Model, random: Random) -> dict[str, int]:
    """Sizes for all letters: all small ones, or a few of the usual ones changed; few layers."""
    letters = [letter for letter in blueprint.letters if letter not in model.sizes.pinned]
    sizes = {**blueprint.sizes, **{name: model.sizes.numbers.get(name, 1) for name in blueprint.letters}}
    if random.random() < 0.7:
        sizes |= _drawn(model.sizes, blueprint, random)
    else:
        sizes |= {name: sizes[name] * random.choice([2, 3]) for name in random.choices(letters, k=3)}
    return sizes | {name: random.randint(2, 5) for name in letters if name.split("_")[0] == "N"}


def points(blueprint: Blueprint, model: Model) -> Iterator[Point]:
    """Different sizes that meet every condition, each with the class at these sizes."""
    random, found = Random(0), set[tuple[int, ...]]()
    for _ in range(TRIES):
        sizes = sizes_drawn(blueprint, model, random)
        try:
            model.sizes.resolve(**{name: size for name, size in sizes.items() if name in model.sizes.names})
            module = blueprint.instance(sizes)
        except Exception:  # sizes that break a condition, or that the class refuses in words of its own
            continue
        if (place := tuple(sizes.values())) in found:
            continue
        yield sizes, module
        found.add(place)
        if len(found) == POINTS:
            return


def planned(kind: str) -> Blueprint:
    """The class that transformers has for a model type, all of its configuration at its defaults."""
    family = next(family for family, kinds in CLASSES.items() if kind in kinds.split())
    name = NAMED[family][kind]
    return plan({"model_type": kind, "architectures": [name if isinstance(name, str) else name[0]]})


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in {id(weight): weight for weight in module.parameters()}.values())


def settable(model: Model, sizes: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if name in model.sizes.names}


def test_there_are_forty_classes_of_every_sort() -> None:
    assert len(set(TYPES)) >= 40
    assert [] == [family for family, least in LEAST.items() if len(CLASSES[family].split()) < least]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in RUN])
def test_parameters_equal_fresh_instances_at_25_sizes(kind: str) -> None:
    blueprint = planned(kind)
    model = trace(blueprint, run=False)
    formula, compared = shapeviz.measure(model, ["params"]).total["params"].expression, 0
    for sizes, module in points(blueprint, model):
        assert parameters(module) == formula.at(model.sizes.resolve(**settable(model, sizes))), sizes
        compared += 1
    assert POINTS == compared


@pytest.mark.parametrize("kind", RUN)
def test_parameters_and_flops_equal_fresh_instances_at_25_sizes_and_torchs_counter_at_two(kind: str) -> None:
    blueprint = planned(kind)
    model = trace(blueprint)
    total = shapeviz.measure(model, ["params", "flops"]).total
    params, flops = 0, 0
    for sizes, module in points(blueprint, model):
        known = model.sizes.resolve(**settable(model, sizes))
        assert parameters(module) == total["params"].expression.at(known), sizes
        params += 1
        if flops < COUNTED and (count := forward_flops(module)) is not None:
            lengths = settable(model, LENGTHS)
            try:
                at = model.sizes.resolve(**settable(model, sizes) | lengths)
            except ShapevizError:  # a length beyond a window, say
                continue
            assert count == total["flops"].expression.at(at), {**sizes, **lengths}
            flops += 1
    assert (POINTS, COUNTED) == (params, flops)


def forward_flops(module: Any) -> int | None:
    """What torch's counter counts of a forward pass; None where the class cannot be run at its sizes."""
    try:
        counts, _ = _run(module, LENGTHS)
    except Exception:  # whatever the class raises
        return None
    return sum(count for _, count in counts)
