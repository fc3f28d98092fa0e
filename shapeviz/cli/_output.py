"""Where a result goes: files by their suffix, standard output, a terminal. All is rendered before any is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shapeviz.cli._frame import say
from shapeviz.cli._options import SIZES, SWITCHES, TORCH_SWITCHES, Request
from shapeviz.errors import CheckFailedError, InputError, MissingToolError, TraceError, nearest
from shapeviz.files import write_all
from shapeviz.frontends import from_torch, is_configuration, read
from shapeviz.ir import Model
from shapeviz.renderers import SUFFIXES, View, by_suffix, render
from shapeviz.report import Check, Report, measure

if TYPE_CHECKING:
    from shapeviz.renderers.listing import Listing

BY_KIND = Parameter(
    "by_kind",
    Parameter.KEYWORD_ONLY,
    default=typer.Option(False, "--by-kind", help="By kind of module: embedding, attention, feed-forward, norm, head."),
    annotation=bool,
)
DRAWN = {"dot", "svg", "png", "pdf"}
DIMENSIONS = {"batch": "B", "seq": "S", "tgt_seq": "T"}
SYMBOLS = {
    **{dimension: name for name, dimension in DIMENSIONS.items()},
    "N_enc": "enc", "N_dec": "dec", "h": "heads", "g": "kv_heads", "d_ff": "ff", "V": "vocab", "P": "max_len",
}  # fmt: skip


def model_of(request: Request) -> Model:
    """The model that the user named, hints about it on standard error."""
    if is_configuration(request.model):
        model = read(request.model, **_configuration_options(request))
    elif request.model is not None and from_torch.is_source(request.model):
        _refuse_configuration_options(request)
        model = from_torch.model(request.model, _torch_options(request, request.model))
    else:
        _refuse_configuration_options(request)
        _refuse_torch_options(request)
        model = read(request.model, **request.sizes)
    for note in model.notes:
        say(f"note: {note}")
    return model


def _configuration_options(request: Request) -> dict[str, Any]:
    """What was asked of a configuration: sizes, a head or none, keys to be passed over; or how it is to be traced."""
    for name, value in request.sizes.items():
        if name in SWITCHES or name in ("norm", "norm_position", "positions"):
            raise InputError(f"{_flag(name, value)} is for models built from sizes: {request.model} says it itself")
    if request.via is None:
        _refuse_module_options(request, "is for a PyTorch module; --via torch builds the configuration's and traces it")
        return {**request.sizes, "sizes": request.torch.sizes, "head": request.head, "ignore": request.ignore}
    if request.head is not None or request.ignore:
        raise InputError("--head, --no-head and --ignore have no effect with --via torch")
    asked = vars(_torch_options(request, str(request.model)))
    return {**asked, "via": request.via}


def _refuse_configuration_options(request: Request) -> None:
    """Options of published models have no meaning for others."""
    head = "--head" if request.head else "--no-head"
    given = {"--via": request.via is not None, "--ignore": bool(request.ignore), head: request.head is not None}
    for flag, is_given in given.items():
        if is_given:
            raise InputError(f"{flag} is for a published model: name a bundled one or a config.json as MODEL")


def _torch_options(request: Request, source: str) -> from_torch.Options:
    """How a module is to be traced: --batch, --seq and --tgt-seq are sizes of it, other sizes are not."""
    sizes = dict(request.torch.sizes)
    for name, value in request.sizes.items():
        given = _flag(name, value) + (f" {value}" if name in SIZES else "")
        if name not in DIMENSIONS:
            raise InputError(f"{given} is for models that are built from sizes; {source} has sizes of its own")
        if (dimension := DIMENSIONS[name]) in sizes:
            raise InputError(f"{given}: {dimension} is given by --size as well: keep one")
        sizes[dimension] = from_torch.positive(value, given)
    return replace(request.torch, sizes=sizes, run=request.verb != "params")


def _refuse_torch_options(request: Request) -> None:
    """Options of PyTorch modules have no meaning for a model that is built from sizes."""
    asked = request.torch
    for name, number in asked.sizes.items():
        size = SYMBOLS.get(name, name)
        hint = f"use {_flag(size)} {number}" if size in SIZES else nearest(_flag(name), map(_flag, SIZES))
        raise InputError(f"--size {name}={number} is for a PyTorch module, file.py:factory; here {hint}")
    _refuse_module_options(request, "is for a PyTorch module: name one as MODEL, file.py:factory")


def _refuse_module_options(request: Request, why: str) -> None:
    asked = request.torch
    given = {
        **{f"--input {text}": True for text in asked.inputs},
        **{f"--name {name}={number}": True for name, number in asked.names.items()},
        "--training": asked.training,
        TORCH_SWITCHES["input_grad"][0].split("/")[asked.input_grad is False]: asked.input_grad is not None,
    }
    for flag, is_given in given.items():
        if is_given:
            raise InputError(f"{flag if len(flag) <= 60 else flag[:60] + '…'} {why}")


def _flag(name: str, value: object = True) -> str:
    return f"--{'no-' if name in SWITCHES and not value else ''}{name.replace('_', '-')}"


def show(request: Request, columns: Sequence[str] = (), more: Sequence[str] = (), **choices: Any) -> Report:
    """Reads, measures and puts out one view of a model: the whole of most verbs. Gives the report.

    The columns are those named, or those of the model and more.
    """
    view = View(request.verb, "", request.figure, request.theme, **choices)
    try:
        model = model_of(request)
    except TraceError as error:
        if request.verb == "trace" and error.model is not None:
            emit(measure(error.model), replace(request, strict=False), view)
            sys.stdout.flush()
        raise
    report = measure(model, columns or dict.fromkeys((*model.columns, *more)))
    emit(report, request, view)
    return report


def emit(report: Report, request: Request, view: View) -> None:
    """Files for every -o; standard output if there is none, or if -f asks for a format of its own.

    Raises InputError before anything is written. Without Graphviz a figure's DOT is written instead, then comes the
    MissingToolError. With --strict, what is not counted is a CheckFailedError at the end.
    """
    prove(report, view)
    kinds = [by_suffix(name) or request.format for name in request.output] or [request.format]
    chosen = (request.figure, request.theme) not in ((View.figure, View.theme), (view.path, View.theme))
    if chosen and not DRAWN & {*kinds, request.format}:
        say("note: --figure and --theme have no effect here; they are for -f dot, svg, png and pdf")
    own = request.format is not None and all(map(by_suffix, request.output)) and request.format not in kinds
    to_screen = not request.output or own
    finish = _on_screen(report, "table" if request.format is None else request.format, view) if to_screen else None
    contents: dict[Path, str | bytes] = {}
    absent: MissingToolError | None = None
    for name, kind in [(name, _kind(name, request.format)) for name in request.output]:
        path = Path(name)
        try:
            contents[path] = render(report, kind, view)
        except MissingToolError as error:
            path = path.with_suffix(".dot")
            contents[path] = render(report, "dot", view)
            absent = MissingToolError(f"{error}; {path} is written and can be drawn later")
    _keep_the_model(request, contents)
    write_all(contents)
    if absent:
        raise absent
    for path in contents:
        say(f"wrote {path}")
    if finish:
        finish()
    if request.strict:
        check_counted(report)


def _keep_the_model(request: Request, targets: Iterable[Path]) -> None:
    """Raises InputError if a file to be written is the one that the model is read from."""
    model = Path(request.model or "")
    for path in targets:
        if request.model and model.is_file() and path.exists() and path.samefile(model):
            raise InputError(f"-o {path}: that is the model's own file: write to another one")


def put(title: str, listings: Sequence[Listing], request: Request) -> None:
    """Lists in files for every -o, else on standard output. Raises InputError before anything is written."""
    from shapeviz.renderers.listing import render_listings

    kinds = {Path(name): _kind(name, request.format) for name in request.output}
    contents: dict[Path, str | bytes] = {path: render_listings(title, listings, kind) for path, kind in kinds.items()}
    text = render_listings(title, listings, request.format or "table")
    write_all(contents)
    for path in contents:
        say(f"wrote {path}")
    if not contents:
        _puts(text)


def check_targets(request: Request) -> None:
    """Raises InputError for what `put` could not write, before long work is done for it."""
    from shapeviz.renderers.listing import render_listings

    for kind in (request.format or "table", *(_kind(name, request.format) for name in request.output)):
        render_listings("", [], kind)
    for path in map(Path, request.output):
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: make its directory first: mkdir -p {path.parent}")


def check_counted(report: Report) -> None:
    """Raises CheckFailedError if a column leaves something out, with the amount and the reason."""
    lines = []
    for column, amount in report.not_counted.items():
        reasons = [report.reasons[name] for name in sorted(amount.names) if name in report.reasons]
        lines.append(f"  {column}: {amount}" + (f": {'; '.join(reasons)}" if reasons else ""))
    if lines:
        raise CheckFailedError("\n".join(["not everything is counted:", *lines]))


def prove(report: Report, view: View) -> None:
    """Refuses an unknown figure or theme, also where nothing is drawn."""
    if (view.figure, view.theme) != (View.figure, View.theme):
        render(report, "dot", view)


def _kind(name: str, format: str | None) -> str:
    kind = by_suffix(name) or format
    if not name or kind is None:
        known = ", ".join(SUFFIXES)
        raise InputError(f"-o {name or repr(name)}: the suffix tells no format; use one of {known}, or give -f")
    return kind


def _on_screen(report: Report, kind: str, view: View) -> Callable[[], None]:
    """The result alone, ready to be written; drawn by rich only on a terminal."""
    if kind == "table" and sys.stdout.isatty():
        from shapeviz.renderers.to_table import draw

        return lambda: draw(report, view)
    content = render(report, kind, view)
    if isinstance(content, str):
        return lambda: _puts(content)
    if sys.stdout.isatty():
        raise InputError(f"{kind} is no text for a terminal: write it to a file, -o figure.{kind}")
    return lambda: _puts_bytes(content)


def _puts(text: str) -> None:
    """Text on standard output, in UTF-8 whatever the locale."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def _puts_bytes(content: bytes) -> None:
    sys.stdout.buffer.write(content)


def told(check: Check) -> str:
    """A failed check in words."""
    return f"{check.path or 'the model'}: {check.quantity} {check.expected}, found {check.found}"
