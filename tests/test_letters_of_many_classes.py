"""Classes of transformers: formulas in their keys equal fresh instances at 25 sizes each, and torch's counter at two.

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

import shapeviz  # noqa: E402
from shapeviz.errors import ShapevizError  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.tracing import trace  # noqa: E402
from shapeviz.tracing.blueprint import Blueprint  # noqa: E402
from shapeviz.tracing.configuration import plan  # noqa: E402
from shapeviz.verify.all_sizes.classes import _run  # noqa: E402
from shapeviz.verify.class_proof import _drawn  # noqa: E402

CLASSES = {
    "opt": "OPTForCausalLM", "distilbert": "DistilBertForMaskedLM", "electra": "ElectraForMaskedLM",
    "t5": "T5ForConditionalGeneration", "vit": "ViTForImageClassification",
}  # fmt: skip
LENGTHS = {"B": 2, "S": 9, "T": 5}
POINTS, COUNTED, TRIES = 25, 2, 800
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
    """Sizes that meet every condition, each with the class at these sizes."""
    random, found = Random(0), 0
    for _ in range(TRIES):
        sizes = sizes_drawn(blueprint, model, random)
        try:
            model.sizes.resolve(**{name: size for name, size in sizes.items() if name in model.sizes.names})
            module = blueprint.instance(sizes)
        except Exception:  # sizes that break a condition, or that the class refuses in words of its own
            continue
        yield sizes, module
        found += 1
        if found == POINTS:
            return


@pytest.mark.parametrize("kind", CLASSES)
def test_formulas_equal_fresh_instances_at_25_sizes_and_torchs_counter_at_two(kind: str) -> None:
    blueprint = plan({"model_type": kind, "architectures": [CLASSES[kind]]})
    model = trace(blueprint)
    total = shapeviz.measure(model).total
    params, flops = 0, 0
    for sizes, module in points(blueprint, model):
        known = model.sizes.resolve(**{name: size for name, size in sizes.items() if name in model.sizes.names})
        expected = sum(weight.numel() for weight in {id(w): w for w in module.parameters()}.values())
        assert expected == total["params"].expression.at(known), sizes
        params += 1
        if flops < COUNTED and (count := forward_flops(module)) is not None:
            lengths = {name: size for name, size in LENGTHS.items() if name in known}
            try:
                at = model.sizes.resolve(**{name: known[name] for name in sizes if name in known} | lengths)
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
