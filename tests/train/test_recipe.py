"""Recipes: presets, what is impossible, and the way to JSON and back."""

import json
from typing import Any

import pytest
import torch

from shapeviz.errors import InputError, ShapevizError, SizeError
from shapeviz.train.optimizer import optimizer
from shapeviz.train.recipe import PRESETS, Recipe, checked, command, from_plain


def test_quick_is_the_default_and_options_win_over_a_preset() -> None:
    assert Recipe() == checked()
    assert ("rotary", 7e-3, 2000) == (lambda r: (r.positions, r.lr, r.steps))(checked("fast", lr=7e-3))


def test_a_short_run_has_a_short_warm_up_and_a_longer_one_keeps_its_own() -> None:
    assert (100, 5, 100, 0) == tuple(checked("fast", steps=steps).warmup_steps for steps in (2000, 100, 9000, 1))
    assert 25 == checked(steps=500).warmup_steps == checked(steps=2000, t_max=500).warmup_steps


def test_the_report_s_recipe_is_its_to_the_letter() -> None:
    recipe = checked("report")
    assert ("adamw", "cosine", 1e-3, 5000, True, 0.0, 0.0, 0) == (
        recipe.optimizer, recipe.schedule, recipe.lr, recipe.t_max, recipe.single_batch, recipe.min_lr, recipe.clip,
        recipe.warmup_steps,
    )  # fmt: skip
    made = optimizer(recipe, [torch.zeros(2, 2)], [torch.zeros(2)])
    usual = torch.optim.AdamW([torch.zeros(1)], lr=1e-3).param_groups[0]
    for group in made.param_groups:
        assert {name: group[name] for name in ("lr", "betas", "eps", "weight_decay", "amsgrad")} == {
            name: usual[name] for name in ("lr", "betas", "eps", "weight_decay", "amsgrad")
        }


@pytest.mark.parametrize("preset", PRESETS)
def test_json_holds_a_recipe(preset: str) -> None:
    recipe = checked(preset, texts=("a.txt", "b.txt"), ff=300)
    assert recipe == from_plain(json.loads(json.dumps(recipe.plain())))


def test_names_of_torch_are_understood() -> None:
    assert checked(optimizer="adamw", schedule="linear") == checked(optimizer="AdamW", schedule="LinearLR")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"d_model": 130}, SizeError, "--d-model 130 is not divisible by --heads 4: 128 would be"),
        ({"steps": 0}, SizeError, "--steps 0 must be at least 1"),
        ({"block_size": -1}, SizeError, "--block-size"),
        ({"batch_size": 0}, SizeError, "--batch-size"),
        ({"ff": 0}, SizeError, "--ff 0"),
        ({"lr": 0.0}, SizeError, "--lr"),
        ({"lr": float("nan")}, SizeError, "--lr"),
        ({"lr": float("inf")}, SizeError, "--lr"),
        ({"min_lr": 2e-3}, SizeError, "--min-lr"),
        ({"dropout": 1.0}, SizeError, "--dropout"),
        ({"beta2": 1.0}, SizeError, "--beta2"),
        ({"clip": float("nan")}, SizeError, "--clip"),
        ({"warmup": 500}, SizeError, "--warmup 500 leaves nothing"),
        ({"seed": 2**63}, SizeError, "--seed"),
        ({"positions": "rotary", "d_model": 12, "heads": 4}, SizeError, "must be even"),
        ({"positions": "rotery"}, InputError, "did you mean 'rotary'"),
        ({"optimizer": "sgd"}, InputError, "--optimizer sgd"),
        ({"preset": "fsat"}, InputError, "did you mean 'fast'"),
        ({"layer": 3}, InputError, "did you mean 'layers'"),
        ({"layers": 2.5}, InputError, "--layers 2.5"),
        ({"layers": True}, InputError, "--layers True"),
        ({"csv": "a.csv", "texts": ("b.txt",)}, InputError, "contradict"),
        ({"column": "text"}, InputError, "--csv"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_refused(options: dict[str, Any], error: type[ShapevizError], words: str) -> None:
    with pytest.raises(error, match=words):
        checked(**options)


def test_a_file_that_holds_no_recipe_is_refused() -> None:
    for data in ([], {"steps": None, "layers": "4"}, {"presets": "quick"}):
        with pytest.raises(InputError):
            from_plain(data, "recipe.json")  # type: ignore[arg-type]


def test_the_command_line_of_a_recipe_names_what_is_not_usual() -> None:
    recipe = checked("report", texts=("my text.txt",), bias=False)
    assert "shapeviz train --preset report --text 'my text.txt' --no-bias -o runs/1" == command(recipe, "runs/1")
