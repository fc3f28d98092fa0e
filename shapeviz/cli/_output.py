"""Where a result goes: files by their suffix, standard output, a terminal. All is rendered before any is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from io import TextIOWrapper
from pathlib import Path

from shapeviz.cli._frame import put, say
from shapeviz.cli._options import Request
from shapeviz.errors import InputError, MissingToolError
from shapeviz.files import write_all
from shapeviz.page import Page
from shapeviz.renderers import View, by_suffix, check_drawn, drawing, drawn, render, renderer, suffixes

# What a folder has that a model is read from, or that a run was.
OF_A_FOLDER = (
    "config.json", "recipe.json", "environment.json", "tokenizer.json", "log.jsonl", "data.json", "corpus.txt",
    "prediction.json", "last.pt", "best.pt",
)  # fmt: skip


def emit(page: Page, request: Request) -> None:
    """Files for every -o; standard output if there is none, or if -f asks for a format of its own.

    Raises InputError before anything is written. Without Graphviz a figure's DOT is written instead, then comes the
    MissingToolError.
    """
    view = _view(page, request)
    kinds = [by_suffix(name) for name in request.output]
    own = request.format is not None and all(kinds) and request.format not in kinds
    finish = _on_screen(page, _screen_format(request), view) if own or not request.output else None
    contents: dict[Path, str | bytes] = {}
    absent: MissingToolError | None = None
    for name in request.output:
        path, kind = Path(name), _kind(name, request.format)
        try:
            contents[path] = render(page, kind, view)
        except MissingToolError as error:
            path = path.with_suffix(".dot")
            contents[path] = render(page, "dot", view)
            absent = MissingToolError(f"{error}; {path} is written and can be drawn later")
    keep_what_is_read(request, contents)
    write_all(contents)
    if absent:
        raise absent
    for path in contents:
        say(f"wrote {path}")
    if finish:
        finish()


def check_targets(request: Request) -> None:
    """Raises InputError for what a page of tables could not be written to, before long work is done for it."""
    for kind in (_screen_format(request), *(_kind(name, request.format) for name in request.output)):
        check_drawn(kind, None)
    for path in map(Path, request.output):
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: make its directory first: mkdir -p {path.parent}")


def _view(page: Page, request: Request) -> View:
    """The figure and theme that are asked for, proved also where nothing is drawn, with a note that they are idle."""
    view = View(request.figure, request.theme)
    if view == View():
        return view
    check_figure(page, view)
    kinds = [by_suffix(name) or request.format for name in request.output] or [request.format]
    if not any(renderer(kind)[1].draws for kind in {*kinds, request.format} if kind):
        say(f"note: --figure and --theme have no effect here; they are for -f {listed(drawing())}")
    return view


def check_figure(page: Page, view: View) -> None:
    """Raises InputError for an unknown figure or theme, also where nothing is drawn."""
    if page.figure is not None:
        drawn(page, view)


def listed(names: Iterable[str]) -> str:
    """`dot, svg and png`"""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def keep_what_is_read(request: Request, targets: Iterable[Path]) -> None:
    """Raises InputError if a file to be written is one that the result is read from: a model, claims, a text, a run."""
    models = [request.model, request.extra.get("first"), request.extra.get("second"), request.extra.get("folder")]
    others = [request.extra.get("claims"), request.extra.get("csv"), *(request.extra.get("texts") or ())]
    for what, names in (("the model's own file", models), ("a file that is read", others)):
        sources = [source for name in names if name for source in _files(str(name))]
        for path in targets:
            if path.exists() and any(path.samefile(source) for source in sources):
                raise InputError(f"-o {path}: that is {what}: write to another one")


def _files(name: str) -> list[Path]:
    """The files of `model.toml`, `model.py:factory`, `config.json:text_config` or the folder of a model or a run."""
    paths = [Path(name), Path(name.rpartition(":")[0] or name)]
    within = (folder / own for folder in paths if folder.is_dir() for own in OF_A_FOLDER)
    return [file for file in (*paths, *within) if file.is_file()]


def _kind(name: str, format: str | None) -> str:
    kind = by_suffix(name) or format
    if not name or kind is None:
        all_suffixes = ", ".join(suffixes())
        raise InputError(f"-o {name or repr(name)}: the suffix tells no format; use one of {all_suffixes}, or give -f")
    return kind


def _screen_format(request: Request) -> str:
    return "table" if request.format is None else request.format


def _on_screen(page: Page, kind: str, view: View) -> Callable[[], object]:
    """The result alone, ready to be written; some formats draw on a terminal by themselves."""
    name, format = renderer(kind)
    if format.on_terminal is not None and sys.stdout.isatty():
        on_terminal = format.on_terminal
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale
        return lambda: on_terminal(page)
    content = render(page, name, view)
    if isinstance(content, str):
        return partial(put, content.encode())
    if sys.stdout.isatty():
        raise InputError(f"{name} is no text for a terminal: write it to a file, -o figure{format.suffixes[0]}")
    return partial(put, content)
