"""The whole analysis in a folder: report.md with figures, report.json, the figures as DOT, SVG and PNG."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from inspect import Parameter
from pathlib import Path
from shlex import join

import typer

from shapeviz.cli._frame import progress, say
from shapeviz.cli._measured import COLUMNS, DTYPE, check_counted, chosen, disagreement
from shapeviz.cli._model import model_of
from shapeviz.cli._options import SWITCHES, TORCH_SWITCHES, Request
from shapeviz.cli._output import check_figure, emit, keep_what_is_read
from shapeviz.errors import CheckFailedError, InputError, MissingToolError
from shapeviz.figure.drawing import own_figures
from shapeviz.files import reason, staying_here, write_all
from shapeviz.ir import Model
from shapeviz.page import Page
from shapeviz.page.views import report_page
from shapeviz.renderers import View, by_suffix, render, suffixes
from shapeviz.report import Check, Report, measure

EXAMPLES = (
    "shapeviz report gpt2 --no-checks -o reports/gpt2",
    "shapeviz report --enc 2 --dec 0 --d-model 512 --heads 8 --no-checks",
)
DOCUMENTS = (".doc", ".docx", ".epub", ".ipynb", ".odt", ".pptx", ".rst", ".rtf", ".xls", ".xlsx", ".xml", ".yaml")
OUTPUT = "The folder to write, or a file whose suffix tells the format. Repeatable. Default: reports/NAME."
PARAMETERS = [
    Parameter(
        "checks",
        Parameter.KEYWORD_ONLY,
        default=typer.Option(True, "--checks/--no-checks", show_default=False, help="Compare with PyTorch as well."),
        annotation=bool,
    ),
    COLUMNS,
    DTYPE,
]


def run(request: Request) -> None:
    model = model_of(request)
    report = measure(model, chosen(request) or None)
    check_figure(report_page(report), View(request.figure, request.theme))
    if "" in request.output:
        raise InputError("-o '': name a folder or a file")
    _check_documents(request.output)
    checks = _checks(model) if request.extra["checks"] else ()
    report = replace(report, checks=checks)
    page = partial(report_page, command=_command(request), versions=_versions(bool(checks)))
    folders = [Path(name) for name in request.output if by_suffix(name) is None]
    files = tuple(name for name in request.output if by_suffix(name) is not None)
    if request.format or files:
        emit(page(report), replace(request, output=files))
    for folder in folders if request.output or request.format else [Path("reports") / _as_folder(report.name)]:
        _write(report, folder, request, page)
    if request.strict:
        check_counted(report)
    if wrong := [check for check in checks if not check.ok]:
        raise CheckFailedError(f"{len(wrong)} of {len(checks)} checks disagree, first of all {disagreement(wrong[0])}")


def _check_documents(names: Iterable[str]) -> None:
    """Raises InputError for the name of a document that no format writes, which nobody means as a folder."""
    for path in map(Path, names):
        if path.suffix.lower() in DOCUMENTS and not path.is_dir():
            raise InputError(f"-o {path}: no format writes {path.suffix}; those of files are {', '.join(suffixes())}")


def _as_folder(name: str) -> str:
    """The name of a model as the name of one folder, never a path out of here."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "model"


def _checks(model: Model) -> tuple[Check, ...]:
    from shapeviz.verify import verify

    try:
        with (
            progress(f"{model.name}: every formula is compared with PyTorch …"),
            redirect_stdout(sys.stderr),
            staying_here(),
        ):
            return verify(model)
    except MissingToolError as error:
        say(f"note: the report is made without checks: {error}")
        return ()


def _write(report: Report, folder: Path, request: Request, page: Callable[..., Page]) -> None:
    """The folder's files, each whole or not at all. Without Graphviz all but the drawn figures, then the error."""
    figures = folder / "figures"
    contents: dict[Path, str | bytes] = {}
    absent: MissingToolError | None = None
    links: dict[str, str] = {}
    drawn = page(report)
    for name in own_figures(report):
        view = View(name, request.theme)
        contents[figures / f"{name}.dot"] = render(drawn, "dot", view)
        try:
            for kind in ("svg", "png"):
                contents[figures / f"{name}.{kind}"] = render(drawn, kind, view)
            links[name] = f"figures/{name}.svg"
        except MissingToolError as error:
            absent = error
    whole = page(report, links)
    contents[folder / "report.md"] = render(whole, "markdown")
    contents[folder / "report.json"] = render(whole, "json")
    if (folder / "recipe.json").exists():
        raise InputError(f"-o {folder}: that is the folder of a training run, which has a report of its own")
    keep_what_is_read(request, contents)
    try:
        figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {figures}: {reason(error)}") from None
    write_all(contents)
    if absent:
        raise MissingToolError(f"{absent}; {folder} has everything else, the figures as .dot")
    number = len(own_figures(report))
    say(f"wrote {folder}/report.md, report.json and {number} figure{'s' * (number != 1)}")


def _command(request: Request) -> str:
    """The command as typed, in a form that can be typed again."""
    words = ["shapeviz", "report", *([request.model] if request.model else [])]
    for name, value in request.sizes.items():
        flag = name.replace("_", "-")
        words += [f"--{'' if value else 'no-'}{flag}"] if name in SWITCHES else [f"--{flag}", str(value)]
    words += [word for text in request.torch.inputs for word in ("--input", text)]
    words += [word for name, number in request.torch.sizes.items() for word in ("--size", f"{name}={number}")]
    varied = (name if name == text else f"{name}={text}" for name, text in request.torch.vary.items())
    words += ["--vary", ",".join(varied)] if request.torch.vary else []
    words += ["--head" if request.head else "--no-head"] * (request.head is not None)
    words += [word for key in request.ignore for word in ("--ignore", key)]
    words += ["--via", request.via] if request.via else []
    words += [] if request.torch.patience is None else ["--patience", f"{request.torch.patience:g}"]
    given = request.torch.input_grad
    words += [] if given is None else [TORCH_SWITCHES["input_grad"][0].split("/")[not given]]
    words += ["--training"] * request.torch.training + ["--strict"] * request.strict
    words += ["--theme", request.theme] if request.theme != View.theme else []
    words += ["--figure", request.figure] if request.figure != View.figure else []
    words += ["--format", request.format] if request.format else []
    words += ["--no-checks"] if not request.extra["checks"] else []
    words += [word for name in ("columns", "dtype") if (text := request.extra[name]) for word in (f"--{name}", text)]
    return join([*words, *(word for name in request.output for word in ("-o", name))])


def _versions(checked: bool) -> str:
    names = ["shapeviz", *(["torch", "torchinfo", "fvcore"] if checked else [])]
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(versions)
