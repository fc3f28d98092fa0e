"""The folder of a run: made, recognised, refused; its recipe read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from shapeviz import files
from shapeviz.errors import InputError
from shapeviz.train.recipe import Recipe, flag, from_plain

RUNS = Path("runs")
"""Where runs are that nobody has named."""
RECIPE, LOCK, CORPUS = "recipe.json", ".lock", "corpus.txt"
OURS = ("config.json", RECIPE, "environment.json", "tokenizer.json", "last.pt", "best.pt", "log.jsonl", "loss.png",
        "loss.svg", "report.md", "prediction.json", "data.json", "shards", CORPUS)  # fmt: skip
FREE = ("csv", "column", "texts", "steps", "t_max", "threads", "device", "compile", "parallel", "tensorboard",
        "sample_every", "eval_every", "eval_tokens", "log_every", "patience", "hold")  # fmt: skip
"""Options that may be others when a run is resumed; that the text is the same, its sha256 tells."""
SHARED = ("tokenizer", "vocab_size", "layers", "heads", "d_model", "ff", "block_size", "positions", "norm",
          "activation", "gated", "qk_norm", "bias", "tie")  # fmt: skip
"""Options that a run has in common with the one whose weights it begins with."""


def unused(parent: Path) -> Path:
    """The first of parent/1, parent/2, … that does not exist."""
    number = 1
    while (parent / str(number)).exists():
        number += 1
    return parent / str(number)


def make(folder: Path) -> None:
    """Makes a folder for a new run. Raises InputError if a run, or a file of such a name, is there already."""
    if (folder / RECIPE).exists():
        raise InputError(f"{folder} holds a run: --resume {folder} goes on with it, -o names another folder")
    make_for(folder, OURS)


def make_for(folder: Path, names: Iterable[str]) -> None:
    """Makes a folder for files of these names. Raises InputError if one is there already, or if it cannot be made."""
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise InputError(f"{folder} holds {', '.join(there)}, which would be overwritten: name another folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {files.reason(error)}") from None


def leave(folder: Path) -> None:
    """Removes the lock, and the folder if it is empty: of a run that could not begin nothing remains."""
    if not (folder / RECIPE).exists():
        with suppress(OSError):
            (folder / LOCK).unlink()
            folder.rmdir()
            if folder.parent == RUNS:
                RUNS.rmdir()


def stored(folder: Path, by: str = "--resume") -> Recipe:
    """The recipe of the run in a folder, named by the flag `by`. Raises InputError if there is none."""
    path = folder / RECIPE
    if not path.is_file():
        what = "there is no run" if folder.is_dir() else "there is no such folder"
        hint = "it is a file" if folder.is_file() else f"{what}; `shapeviz train -o {folder}` would begin one"
        raise InputError(f"{by} {folder}: {hint}")
    return from_plain(read_json(path, "a recipe"), str(path))


def resumed(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with which the run in `folder` goes on: the stored one, with what may differ from `recipe`.

    More steps leave the schedule where it is; behind its end the rate stays, unless that end was asked for. Raises
    InputError if `recipe` is of another configuration.
    """
    before = stored(folder)
    for name in (one.name for one in fields(Recipe)):
        old, new = getattr(before, name), getattr(recipe, name)
        if name not in FREE and old != new:
            raise InputError(
                f"{folder} belongs to another configuration: {flag(name)} is {_shown(old)} there, {_shown(new)} here; "
                f"begin a run of your own with -o, or resume without {flag(name)}"
            )
    if before.hold is not None and recipe.hold != before.hold:
        raise InputError(f"{folder}: --hold is {before.hold} there, which cannot be undone")
    if recipe.steps != before.steps and recipe.t_max in (None, before.t_max):
        hold = True if recipe.hold is None and before.t_max is None else recipe.hold
        recipe = replace(recipe, t_max=before.t_max or before.steps, hold=hold)
        if hold and recipe.steps > recipe.schedule_steps and not recipe.min_lr and recipe.schedule != "constant":
            raise InputError(
                f"{folder}: its schedule ends at step {recipe.schedule_steps:,} with a rate of 0, behind which nothing "
                f"is learnt: --no-hold lets the cosine rise again, --init-from {folder} begins a schedule of its own"
            )
        return recipe
    if recipe.t_max != before.t_max:
        raise InputError(f"{folder}: --t-max is {before.t_max} there, {recipe.t_max} here, which undoes what is done")
    return recipe


def like(run: Path) -> dict[str, Any]:
    """The options of a run that one with its weights must have. Raises InputError if there is no run."""
    before = stored(run, "--init-from")
    return {name: getattr(before, name) for name in SHARED}


def check_like(recipe: Recipe) -> None:
    """Raises InputError if a recipe takes the weights of a run and has other sizes, or another tokenizer."""
    if recipe.init_from is None:
        return
    for name, there in like(Path(recipe.init_from)).items():
        if getattr(recipe, name) != there:
            raise InputError(
                f"--init-from {recipe.init_from}: {flag(name)} is {_shown(there)} there, "
                f"{_shown(getattr(recipe, name))} here; leave out {flag(name)}"
            )


def read_json(path: Path, kind: str) -> Any:
    """What a JSON file holds. Raises InputError if it cannot be read."""
    try:
        return json.loads(files.read_text(path, kind))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None


def dumped(data: Any) -> str:
    """JSON as the files of a run folder hold it."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _shown(value: Any) -> str:
    return "not given" if value in (None, ()) else str(value)
