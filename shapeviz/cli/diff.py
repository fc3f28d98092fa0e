"""What changed between two models, where, and what it costs; exit 1 if they differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from inspect import Parameter
from pathlib import Path
from typing import cast

import typer

from shapeviz import analyses
from shapeviz.analyses import parts
from shapeviz.cli._frame import say
from shapeviz.cli._measured import COLUMNS, DTYPE, chosen
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.comparison import Difference, Side, at_one_length, compare, measured, saved
from shapeviz.errors import InputError
from shapeviz.files import read_text
from shapeviz.frontends import from_torch
from shapeviz.frontends.from_torch import TraceOptions
from shapeviz.frontends.numbers import assigned
from shapeviz.ir import Door, Model
from shapeviz.page.listing import Column, Listing, listed
from shapeviz.report import measure
from shapeviz.symbols import DIMENSIONS, LETTERS

EXAMPLES = (
    "shapeviz diff llama-2-7b llama-3-8b",
    "shapeviz diff gpt2 gpt2 --to-size N=24",
)
LARGEST = 2**26  # bytes of a report
PARAMETERS = [
    Parameter(
        "first",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(
            None, metavar="MODEL", help="The model that is changed: a name, a path, a module, or a report.json."
        ),
        annotation=str | None,
    ),
    Parameter(
        "second",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="OTHER", help="What it is changed to."),
        annotation=str | None,
    ),
    Parameter(
        "to_size",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(None, "--to-size", metavar="NAME=N", help="A size of OTHER alone, N=16. Repeatable."),
        annotation=list[str] | None,
    ),
    Parameter(
        "exit_zero",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(False, "--exit-zero", help="Exit 0 also if they differ: for a step that only shows it."),
        annotation=bool,
    ),
    COLUMNS,
    DTYPE,
]
WITHOUT = ("model", "figure", "theme", "strict", "name")


def run(request: Request) -> None:
    first, second = request.extra["first"], request.extra["second"]
    if first is None or second is None:
        raise InputError("diff takes two models: shapeviz diff llama-2-7b llama-3-8b")
    to_size = assigned(request.extra["to_size"] or (), "--to-size")
    one, other = _sides(request, first, second, to_size)
    names = chosen(request)
    differences = compare(one, other)
    titles = {"sizes": "Sizes", "costs": "Costs of the whole model", "blocks": "Blocks, all instances of each"}
    listings = [
        _listing(part, title, differences, (one, other), names or ("params",)) for part, title in titles.items()
    ]
    lengths = {name: other.sizes[name] for name in DIMENSIONS.values() if name in other.sizes}
    at = ", ".join(f"{name} = {size}" for name, size in lengths.items())
    said = "what differs" if differences else "no difference in shapes or costs"
    head = f"{one.title} → {other.title}: {said}" + (f"; at {at}" if at else "")
    emit(listed(head, *listings), request)
    if differences and not request.extra["exit_zero"]:
        raise typer.Exit(1)


def _sides(request: Request, first: str, second: str, to_size: dict[str, int]) -> tuple[Side, Side]:
    """Both sides, measured: models at one length and in the columns that are known of both, or saved reports."""
    files = [_saved(name) for name in (first, second)]
    models = [
        None if file else model_of(_of_one(request, name, more))
        for file, name, more in zip(files, (first, second), ({}, to_size), strict=True)
    ]
    fixed = {*request.torch.sizes, *to_size, *(LETTERS[name] for name in request.sizes if name in LETTERS)}
    for file, name, given in zip(files, (first, second), (fixed - to_size.keys(), fixed), strict=True):
        if file and given:
            say(f"note: {name} is a report at its own sizes; those that were given are for the other side")
    one, other = models
    if one and other:
        one, other = at_one_length(one, other, fixed)
    columns = chosen(request) or _columns([model for model in models if model], [file.totals for file in files if file])
    sides = []
    for file, model, beside in zip(files, (one, other), reversed(files), strict=True):
        sides.append(file or measured(measure(_at(cast("Model", model), beside, fixed), columns)))
    return sides[0], sides[1]


def _saved(name: str) -> Side | None:
    """The report that a JSON file is, or one in a folder of `shapeviz report`; None for anything else."""
    path = Path(name)
    if (path / "report.json").is_file() and not (path / "config.json").exists():
        path = path / "report.json"
    if path.suffix != ".json" or not path.is_file():
        return None
    import json

    try:
        data = json.loads(read_text(path, "a report", LARGEST))
    except ValueError:
        return None  # whoever reads it as a configuration says what is wrong
    if not isinstance(data, dict) or not str(data.get("schema", "")).startswith("shapeviz/"):
        return None
    return saved(data, name)


def _of_one(request: Request, name: str, more: dict[str, int]) -> Request:
    """What is asked of one of the two: options of PyTorch modules are for those alone."""
    torch = replace(request.torch, sizes={**request.torch.sizes, **more})
    if not from_torch.is_source(name) and request.via is None:
        torch = TraceOptions(sizes=torch.sizes)
    return replace(request, model=name, torch=torch)


def _columns(models: Iterable[Model], files: Sequence[Collection[str]]) -> tuple[str, ...]:
    """The columns that saved reports have, or else those that models name and the bytes of their caches, as far as they
    are known of all of them."""
    names = dict.fromkeys((*(name for model in models for name in model.columns), "cache"))
    if files:
        names = dict.fromkeys(name for name in files[0] if name in analyses.names())
    return tuple(name for name in names if all(part.knows.of(model) for part in parts(name) for model in models))


def _at(model: Model, beside: Side | None, fixed: Collection[str]) -> Model:
    """The model at the sizes of a run that a saved report beside it has, if it holds for these."""
    if beside is None:
        return model
    known = model.sizes.values.keys() - {*fixed, *model.sizes.fixed, *model.sizes.pinned}
    traced = model.origin is not None and model.origin.door is Door.MODULE
    names = [name for name in known if name in beside.sizes and (traced or name in DIMENSIONS.values())]
    sizes = replace(model.sizes, values={**model.sizes.values, **{name: beside.sizes[name] for name in names}})
    numbers = sizes.resolve()
    return replace(model, sizes=sizes) if all(c.holds(numbers) for c in sizes.conditions) else model


def _listing(
    part: str, title: str, differences: Iterable[Difference], compared: tuple[Side, Side], shown: tuple[str, ...]
) -> Listing:
    """The differences of one part; equations, and costs of blocks other than those shown, are for JSON alone."""
    one, other = compared
    heads = (one.name, other.name) if one.name != other.name else (f"{one.name}, before", f"{other.name}, after")
    units = one.units

    def unit(entry: Mapping[str, object]) -> str:
        return units.get(str(entry["what"]), "")

    columns = (
        Column("what", "what"), Column("where", "where"), Column("before", heads[0], number=True, unit=unit),
        Column("after", heads[1], number=True, unit=unit), Column("change", "change", number=True, unit=unit),
        Column("percent", "change, %", number=True),
    )  # fmt: skip
    entries = tuple({**asdict(d), "change": d.change, "percent": d.percent} for d in differences if d.part == part)
    long = frozenset(i for i, e in enumerate(entries) if part == "blocks" and e["what"] not in (*shown, "block"))
    return Listing(part, title, columns, entries, long, (*heads, "change"))
