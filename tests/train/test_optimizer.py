"""The flat master against torch.optim on the parameters themselves, and schedules against torch's."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from shapeviz.nets.language_model import LanguageModel
from shapeviz.train.master import Master
from shapeviz.train.optimizer import learning_rate
from shapeviz.train.recipe import Recipe, checked


def schedule(recipe: Recipe, optimizer: Any) -> Any:
    w, t_max = recipe.warmup or 0, (recipe.t_max or recipe.steps) - (recipe.warmup or 0)
    main = {
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, t_max, recipe.min_lr),
        "linear": lambda: lr_scheduler.LinearLR(optimizer, 1.0, recipe.min_lr / recipe.lr, t_max),
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, 1.0),
    }
    if not w:
        return main[recipe.schedule]()
    warm = lr_scheduler.LinearLR(optimizer, 1 / (w + 1), 1.0, w)
    return lr_scheduler.SequentialLR(optimizer, [warm, main[recipe.schedule]()], [w])


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
@pytest.mark.parametrize(
    "options", [{"warmup": 0}, {"warmup": 20}, {"warmup": 0, "t_max": 60}]
)  # 60 of 100 steps: PyTorch's cosine climbs again
def test_learning_rates_are_those_of_torch(kind: str, options: dict[str, Any]) -> None:
    recipe = checked(schedule=kind, steps=100, **options)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=recipe.lr)
    theirs = schedule(recipe, optimizer)
    for step in range(recipe.steps):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(recipe, step), rel=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("kind", ["adamw", "adam"])
@pytest.mark.parametrize(("clip", "every"), [(0.0, False), (0.05, False), (0.0, True)])
def test_steps_equal_torch_optim_on_the_parameters_themselves(kind: str, clip: float, every: bool) -> None:
    torch.manual_seed(0)
    recipe = checked(
        optimizer=kind, clip=clip, decay_vectors=every, lr=1e-2, layers=1, d_model=8, heads=2, block_size=8
    )
    ours = LanguageModel(recipe.model(11))
    theirs = deepcopy(ours)
    master = Master(ours, recipe)
    groups = [
        {"params": [p for p in theirs.parameters() if p.dim() >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in theirs.parameters() if p.dim() < 2], "weight_decay": recipe.weight_decay * every},
    ]
    make = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[kind]
    optimizer = make(groups, lr=1e-2, betas=(recipe.beta1, recipe.beta2))
    for _ in range(5):
        ids = torch.randint(11, (2, 8))
        for module in (ours, theirs):
            module(ids).float().square().mean().backward()
        norm = nn.utils.clip_grad_norm_(theirs.parameters(), clip or float("inf"))
        master.collect()
        assert float(norm) == pytest.approx(float(master.clip_grad_norm()), rel=1e-5)
        optimizer.step()
        optimizer.zero_grad()
        master.update(1e-2)
        for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            # The keys' bias adds the same to all scores of a query: its gradient is zero but for rounding, which is
            # another on every machine, and which Adam's division by its own size makes as large as any other.
            keep = torch.arange(len(one)) // 8 != 1 if name.endswith("query_key_value.bias") else slice(None)
            torch.testing.assert_close(one[keep], other[keep], rtol=1e-5, atol=1e-6)
    assert 0 == float(master.reduced.abs().sum())


def test_a_shadow_in_bfloat16_follows_a_master_in_float32() -> None:
    recipe = checked(layers=1, d_model=8, heads=2, block_size=8)
    module = LanguageModel(recipe.model(11))
    before = deepcopy(module.state_dict())
    master = Master(module, recipe, torch.bfloat16)
    assert {torch.bfloat16} == {p.dtype for p in module.parameters()}
    for name, value in master.state()["model"].items():
        assert torch.equal(before[name], value)  # nothing of the initial weights is lost
    module(torch.randint(11, (2, 8))).float().square().mean().backward()
    master.collect()
    master.update(1e-4)
    assert torch.equal(master.flat.bfloat16(), master.shadow)
    assert not torch.equal(master.flat, master.shadow.float())
    assert before.keys() == master.state()["model"].keys()  # tied weights by both names


def test_a_state_of_another_model_is_refused() -> None:
    small, large = (checked(layers=layers, d_model=8, heads=2) for layers in (1, 2))
    masters = [Master(LanguageModel(recipe.model(11)), recipe) for recipe in (small, large)]
    with pytest.raises(ValueError, match="another model"):
        masters[1].restore(masters[0].state())
