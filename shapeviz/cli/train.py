"""Train a language model of characters, words or subwords: on your own text, resumable, predicted and measured."""

from __future__ import annotations

import os
from dataclasses import fields
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.errors import InputError, requiring
from shapeviz.train import PACKAGES
from shapeviz.train import recipe as recipes
from shapeviz.train.recipe import CHOICES, Recipe

if TYPE_CHECKING:
    from shapeviz.train.loop import Outcome

EXAMPLES = (
    "shapeviz train --text book.txt --steps 200",
    "shapeviz train --resume runs/1 --steps 400",
)
PARTS = {
    "csv": "Text", "layers": "Model", "optimizer": "Training", "dtype": "Machine", "preset": "Run",
}  # fmt: skip

ONLY = ("output", "debug")
OUTPUT = "The folder of the run. Default: runs/1, runs/2, …"
SECTION = {"int": int, "float": float, "str": str}


def _parameter(name: str, kind: str, metadata: Any, default: Any) -> Parameter:
    """An option of the recipe as one of the command line; one that is not given is None."""
    flag, text = recipes.flag(name), metadata["help"]
    annotation: Any = SECTION.get(kind.partition(" ")[0], bool) | None
    settings: dict[str, Any] = {"show_default": False}
    if kind.startswith("tuple"):
        annotation = list[str] | None
    elif kind.startswith("bool"):
        flag = f"{flag}/--no-{flag[2:]}"
        text += {True: " Default: yes.", False: " Default: no.", None: ""}[default]
    if default not in (None, (), "", 0) and not kind.startswith("bool") and name != "preset":
        text += f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}."
    if not kind.startswith("bool"):
        settings["metavar"] = "|".join(CHOICES[name]) if name in CHOICES else metadata["metavar"]
    option = typer.Option(None, flag, help=text, **settings)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


PARAMETERS = [
    *(_parameter(one.name, str(one.type), one.metadata, one.default) for one in fields(Recipe)),
    Parameter(
        "resume",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(None, "--resume", metavar="FOLDER", help="Go on with the run in this folder."),
        annotation=str | None,
    ),
    Parameter(
        "report",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(None, "--report/--no-report", help="Plots, samples and report.md. Default: yes.",
                             show_default=False),
        annotation=bool | None,
    ),
]  # fmt: skip


def run(request: Request) -> None:
    options = {name: value for name, value in request.extra.items() if value is not None}
    resume, report = options.pop("resume", None), options.pop("report", True)
    _patient()
    with requiring("train", *PACKAGES):
        recipe, folder = _resumed(resume, options, request) if resume is not None else _new(options, request)
        from shapeviz.train.loop import train
    outcome = train(recipe, folder, resume is not None, say, progress=True, report=report)
    if outcome.stopped:
        raise typer.Exit(128 + outcome.stopped)
    if os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0":  # the first of several speaks
        print(f"{folder}: step {outcome.step:,}, {_told(outcome)}")


def _told(outcome: Outcome) -> str:
    """The loss of a run in all its units."""
    bits, note = outcome.bits_per_character, outcome.note
    text = f"loss {outcome.val_loss:.4f} on {outcome.evaluated}, in nats a token: perplexity {outcome.perplexity:,.4g}"
    if bits is None:
        return f"{text}; {note}"
    source = f" (its source has {outcome.entropy_bits:.4f})" if outcome.entropy_bits else ""
    return f"{text}, {bits:.4f} bits a character{source}" + (f"; {note}" if note else "")


def _patient() -> None:
    """Threads that wait for others of a step sleep, and do not keep a core that another program could have.

    On a busy machine that is ten times as quick; the library of the threads reads it when torch is first imported.
    """
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _new(options: dict[str, Any], request: Request) -> tuple[Recipe, Path]:
    from shapeviz.train import folder as folders

    if source := options.get("init_from"):
        options = {**folders.like(Path(source)), **options}
    recipe = recipes.checked(**options)
    return recipe, _folder(request) or folders.unused(folders.RUNS)


def _resumed(resume: str, options: dict[str, Any], request: Request) -> tuple[Recipe, Path]:
    """The stored recipe with the options given; which of them may be given, the loop tells."""
    from shapeviz.train import folder as folders

    folder, other = Path(resume), _folder(request)
    if other is not None and other != folder:
        raise InputError(f"--resume {folder} goes on in its own folder: leave out -o {other}")
    stored = folders.stored(folder).plain()
    if "csv" in options:
        stored["texts"] = []
    elif "texts" in options:
        stored["csv"] = stored["column"] = None
    return recipes.checked(**{**stored, **options}), folder


def _folder(request: Request) -> Path | None:
    if len(request.output) > 1:
        raise InputError(f"-o {request.output[1]}: a run has one folder, and -o {request.output[0]} names it")
    if request.output == ("",):
        raise InputError("-o '': name a folder")
    return Path(request.output[0]) if request.output else None
