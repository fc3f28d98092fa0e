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
from shapeviz.cli._model import model_of
from shapeviz.cli._options import Request
from shapeviz.errors import CheckFailedError, InputError, MissingToolError, TraceError
from shapeviz.files import write_all
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
