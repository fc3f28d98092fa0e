"""Proof: every formula against PyTorch, or somebody's hand-made figures against the formulas (--claims)."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from inspect import Parameter
from pathlib import Path

import typer

from shapeviz.cli._frame import progress
from shapeviz.cli._measured import disagreement, put
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.errors import CheckFailedError, InputError
from shapeviz.files import staying_here
from shapeviz.page.views import verify_page
from shapeviz.report import Check, measure

EXAMPLES = (
    "shapeviz verify --enc 1 --dec 1 --d-model 64 --heads 4 --seq 16 --batch 2",
    "shapeviz verify --claims examples/q1_claims.toml",
)
PARAMETERS = [
    Parameter(
        "claims",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(None, "--claims", metavar="FILE", help="A TOML file of claimed figures to check instead."),
        annotation=str | None,
    ),
    Parameter(
        "for_all",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(
            False, "--for-all", help="Formulas for all sizes at once, interpolated from small instances of the class."
        ),
        annotation=bool,
    ),
]


def run(request: Request) -> None:
    model = model_of(request)
    report = measure(model)
    checks: tuple[Check, ...]
    if claims := request.extra["claims"]:
        if request.extra["for_all"]:
            raise InputError("--for-all and --claims: keep one; claims are figures at some sizes")
        from shapeviz.claims import check_claims

        checks = check_claims(report, Path(claims))
    else:
        from shapeviz.verify import verify

        with (
            progress(f"{model.name}: every formula is compared with PyTorch …"),
            redirect_stdout(sys.stderr),
            staying_here(),
        ):
            checks = verify(model, for_all=request.extra["for_all"])
    put(verify_page(replace(report, checks=checks)), report, request)
    wrong = [check for check in checks if not check.ok]
    if wrong:
        raise CheckFailedError(f"{len(wrong)} of {len(checks)} disagree, first of all {_named(wrong, claims)}")


def _named(wrong: list[Check], claims: str | None) -> str:
    first = wrong[0]
    if not claims:
        from shapeviz.verify import first_disagreement

        first = first_disagreement(wrong) or first
    return disagreement(first)
