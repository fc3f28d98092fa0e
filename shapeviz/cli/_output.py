"""Where a result goes: files by their suffix, standard output, a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from shapeviz.cli._options import Request
from shapeviz.errors import InputError, MissingToolError
from shapeviz.files import write
from shapeviz.frontends import read
from shapeviz.ir import Model
from shapeviz.renderers import SUFFIXES, View, by_suffix, render
from shapeviz.report import Report, measure

BINARY = ("png", "pdf")


def model_of(request: Request) -> Model:
    """The model that the user named, hints about it on standard error."""
    model = read(request.model, **request.sizes)
    for note in model.notes:
        hint(f"note: {note}")
    return model


def hint(text: str) -> None:
    """A line for the person at the terminal, not part of the result."""
    sys.stderr.write(text + "\n")


def show(request: Request, path: str = "") -> None:
    """Reads, measures and puts out one view of a model: the whole of most verbs."""
    emit(measure(model_of(request)), request, View(request.verb, path, request.figure, request.theme))


def emit(report: Report, request: Request, view: View) -> None:
    """Files for every -o; standard output if there is none, or if -f asks for a format of its own."""
    for name in request.output:
        kind = by_suffix(name) or request.format
        if kind is None:
            raise InputError(f"-o {name}: the suffix tells no format; use one of {', '.join(SUFFIXES)}, or give -f")
    for name in request.output:
        save(report, by_suffix(name) or str(request.format), Path(name), view)
    if not request.output or (request.format and all(map(by_suffix, request.output))):
        to_stdout(report, request.format or "table", view)


def save(report: Report, kind: str, path: Path, view: View) -> None:
    """One file, whole or not at all. Without Graphviz the figure's DOT is written before the error is raised."""
    try:
        write(path, render(report, kind, view))
    except MissingToolError as error:
        source = path.with_suffix(".dot")
        write(source, render(report, "dot", view))
        raise MissingToolError(f"{error}; {source} is written and can be drawn later") from None
    hint(f"wrote {path}")


def to_stdout(report: Report, kind: str, view: View) -> None:
    """The result alone; drawn by rich only on a terminal."""
    if kind == "table" and sys.stdout.isatty():
        from shapeviz.renderers.to_table import draw

        draw(report, view)
        return
    content = render(report, kind, view)
    if isinstance(content, str):
        puts(content)
    elif sys.stdout.isatty():
        raise InputError(f"{kind} is no text for a terminal: write it to a file, -o figure.{kind}")
    else:
        sys.stdout.buffer.write(content)


def puts(text: str) -> None:
    """Text on standard output, in UTF-8 whatever the locale."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
