"""The bundled models: family, layers, parameters, what each token meets and keeps, and where it is from."""

from __future__ import annotations

from inspect import Parameter

import typer

from shapeviz import published
from shapeviz.cli._options import Request
from shapeviz.cli._output import emit
from shapeviz.errors import InputError
from shapeviz.frontends import read
from shapeviz.page.listing import Column, Listing, listed
from shapeviz.report import measure

EXAMPLES = (
    "shapeviz models llama",
    "shapeviz models gpt2 --json",
)
ONLY = ("format", "json", "output", "debug")
PARAMETERS = [
    Parameter(
        "pattern",
        Parameter.KEYWORD_ONLY,
        default=typer.Argument(None, metavar="[TEXT]", help="Only models of this family, or with this in their name."),
        annotation=str | None,
    )
]
COLUMNS = ("params", "active", "kv_cache")


def run(request: Request) -> None:
    wanted = (request.extra["pattern"] or "").lower()
    chosen = {*published.close(wanted)} if wanted else {*published.names()}
    rows = [_row(name) for name in published.names() if name in chosen or _family(name) == wanted]
    if not rows:
        near = published.near(wanted)
        hint = f"did you mean {near[0]!r}?" if near else f"{len(published.names())} are known: shapeviz models"
        raise InputError(f"no bundled model has {wanted!r} in its name; {hint}")
    columns = (
        Column("name", "name"), Column("family", "family"), Column("layers", "layers", number=True),
        Column("params", "parameters", number=True, unit=""), Column("active", "active", number=True, unit=""),
        Column("kv_cache", "KV B/token", number=True, unit="B"), Column("source", "source"),
    )  # fmt: skip
    narrow = ("source", "parameters", "family", "active", "layers")
    listing = Listing("models", "", columns, tuple(rows), narrow=narrow)
    emit(listed(f"{len(rows)} bundled models", listing), request)


def _family(name: str) -> object:
    return published.load(name)["config"].get("model_type")


def _row(name: str) -> dict[str, str | int]:
    model = read(name)
    assert model.origin is not None
    report = measure(model, COLUMNS)
    sizes = model.sizes.numbers
    layers = sizes.get("N") or sizes.get("N_enc", 0) + sizes.get("N_dec", 0)
    return {
        "name": name,
        "family": model.origin.family,
        "class": model.origin.class_name,
        "layers": layers,
        **{column: int(cell.value) for column, cell in report.total.items()},
        "source": model.source,
    }
