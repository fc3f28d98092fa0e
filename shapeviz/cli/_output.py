"""Where a result goes: files by their suffix, standard output, a terminal. All is rendered before any is written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.errors import InputError, MissingToolError
from shapeviz.files import write_all
from shapeviz.frontends import read
from shapeviz.ir import Model
from shapeviz.renderers import SUFFIXES, View, by_suffix, render
from shapeviz.report import Check, Report, measure

DRAWN = {"dot", "svg", "png", "pdf"}


def model_of(request: Request) -> Model:
    """The model that the user named, hints about it on standard error."""
    model = read(request.model, **request.sizes)
    for note in model.notes:
        say(f"note: {note}")
    return model


def show(request: Request, path: str = "") -> None:
    """Reads, measures and puts out one view of a model: the whole of most verbs."""
    emit(measure(model_of(request)), request, View(request.verb, path, request.figure, request.theme))


def emit(report: Report, request: Request, view: View) -> None:
    """Files for every -o; standard output if there is none, or if -f asks for a format of its own.

    Raises InputError before anything is written. Without Graphviz a figure's DOT is written instead, then comes the
    MissingToolError.
    """
    prove(report, view)
    kinds = [by_suffix(name) or request.format for name in request.output] or [request.format]
    chosen = (request.figure, request.theme) not in ((View.figure, View.theme), (view.path, View.theme))
    if chosen and not DRAWN & {*kinds, request.format}:
        say("note: --figure and --theme have no effect here; they are for -f dot, svg, png and pdf")
    to_screen = not request.output or (request.format is not None and all(map(by_suffix, request.output)))
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
    write_all(contents)
    if absent:
        raise absent
    for path in contents:
        say(f"wrote {path}")
    if finish:
        finish()


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
