"""What changed between two models, where, and what it costs; exit 1 if they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from inspect import Parameter

import typer

from shapeviz.cli._measured import COLUMNS, DTYPE, chosen
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.comparison import Difference, at_one_length, compare
from shapeviz.errors import InputError
from shapeviz.frontends.numbers import assigned
from shapeviz.page.listing import Column, Listing, listed
from shapeviz.report import Report, measure
from shapeviz.symbols import DIMENSIONS, LETTERS

EXAMPLES = (
    "shapeviz diff llama-2-7b llama-3-8b",
    "shapeviz diff gpt2 gpt2 --to-size N=24",
)
PARAMETERS = [
    Parameter(
        "first",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="MODEL", help="The model that is changed: a name or a path."),
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
    COLUMNS,
    DTYPE,
]
WITHOUT = ("model", "figure", "theme", "strict", "input", "name", "training", "input_grad")


def run(request: Request) -> None:
    first, second = request.extra["first"], request.extra["second"]
    if first is None or second is None:
        raise InputError("diff takes two models: shapeviz diff llama-2-7b llama-3-8b")
    changed = {**request.torch.sizes, **assigned(request.extra["to_size"] or (), "--to-size")}
    after = replace(request, model=second, torch=replace(request.torch, sizes=changed))
    models = [model_of(replace(request, model=first)), model_of(after)]
    fixed = {*request.torch.sizes, *(LETTERS[name] for name in request.sizes if name in LETTERS)}
    names = chosen(request)
    one, other = (measure(model, names or None) for model in at_one_length(models[0], models[1], fixed))
    differences = compare(one, other)
    titles = {"sizes": "Sizes", "costs": "Costs of the whole model", "blocks": "Blocks, all instances of each"}
    listings = [
        _listing(part, title, differences, (one, other), names or ("params",)) for part, title in titles.items()
    ]
    lengths = {name: other.sizes.numbers[name] for name in DIMENSIONS.values() if name in other.sizes.numbers}
    at = ", ".join(f"{name} = {size}" for name, size in lengths.items())
    said = "what differs" if differences else "no difference in shapes or costs"
    head = f"{one.title} → {other.title}: {said}; at {at}"
    emit(listed(head, *listings), request)
    if differences:
        raise typer.Exit(1)


def _listing(
    part: str, title: str, differences: Iterable[Difference], compared: tuple[Report, Report], shown: tuple[str, ...]
) -> Listing:
    """The differences of one part; equations, and costs of blocks other than those shown, are for JSON alone."""
    one, other = compared
    units = {name: column.unit for name, column in one.columns.items()}

    def unit(entry: Mapping[str, object]) -> str:
        return units.get(str(entry["what"]), "")

    columns = (
        Column("what", "what"), Column("where", "where"), Column("before", one.name, number=True, unit=unit),
        Column("after", other.name, number=True, unit=unit), Column("change", "change", number=True, unit=unit),
    )  # fmt: skip
    entries = tuple({**asdict(d), "change": d.change} for d in differences if d.part == part)
    long = frozenset(i for i, e in enumerate(entries) if part == "blocks" and e["what"] not in (*shown, "block"))
    return Listing(part, title, columns, entries, long, (one.name, other.name, "change"))
