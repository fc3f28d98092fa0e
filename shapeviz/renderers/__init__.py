"""Renderers: one format a file, which says of itself what it is. They see a Page, and of a Report nothing else.

A file `to_NAME.py` of this folder is the format NAME. It has a `render(page, view)` and

    renderer = Renderer(render, "What it is, in one line.", suffixes=(".name",))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shapeviz import plugins
from shapeviz.errors import InputError, ShapevizError, made_of, nearest
from shapeviz.page import Page
from shapeviz.page.views import page_of
from shapeviz.report import Report

if TYPE_CHECKING:
    from shapeviz.figure import Figure
    from shapeviz.figure.themes import Theme

PACKAGE, PREFIX = "shapeviz.renderers", "to_"


@dataclass(frozen=True)
class View:
    """How a page is drawn: `figure` is `model`, a kind of block (`multi_head`, `attention`, …) or a block's path;
    `theme` is light, dark or colorblind.
    """

    figure: str = "model"
    theme: str = "light"


class Renderer(NamedTuple):
    """A format: how it renders a page (as bytes if it is `binary`), in one line what it is, suffixes of its files.

    One that `draws` shows the page's figure, others all the rest. `on_terminal` writes a page to a terminal itself.
    """

    render: Callable[[Page, View], str | bytes]
    help: str
    suffixes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    draws: bool = False
    binary: bool = False
    on_terminal: Callable[[Page], None] | None = None


def formats() -> list[str]:
    """The names of all formats: the files of this folder."""
    return plugins.names(PACKAGE, PREFIX)


@cache
def renderers() -> dict[str, Renderer]:
    """All formats by name, which imports them. Raises ShapevizError for a file that is none."""
    return {name: _loaded(name) for name in formats()}


def renderer(format: str) -> tuple[str, Renderer]:
    """A format by its name or another name that it has. Raises InputError with the nearest if there is none."""
    if plugins.has(PACKAGE, format, PREFIX):
        return format, _loaded(format)
    for name, loaded in renderers().items():
        if format in loaded.aliases:
            return name, loaded
    aliases = [alias for loaded in renderers().values() for alias in loaded.aliases]
    raise InputError(f"unknown format {format!r}; {nearest(format, [*formats(), *aliases])}")


def drawing() -> list[str]:
    """The names of the formats that draw a figure."""
    return [name for name, loaded in renderers().items() if loaded.draws]


def suffixes() -> dict[str, str]:
    """The format of every suffix."""
    return {suffix: name for name, loaded in renderers().items() for suffix in loaded.suffixes}


def by_suffix(file: str) -> str | None:
    """The format of a file's name, None if its suffix is none of ours."""
    return next((name for suffix, name in suffixes().items() if file.lower().endswith(suffix)), None)


def render(shown: Report | Page, format: str = "table", view: View | None = None, **choices: Any) -> Any:
    """A page or a report as text (bytes for png and pdf): `render(report, "markdown")`, `render(report, "dot")`.

    Choices are the fields of View, `figure="multi_head", theme="dark"`, and of a report those of `page_of`: the verb
    whose page it is (`verb="params"`; without one the whole analysis), `path`, `active`, `by_kind`, `columns`,
    `depth`, `summary`.
    Raises InputError for an unknown format, figure, theme or choice, and for the figure of a page that has none;
    MissingToolError if a figure needs Graphviz and it is not installed.
    """
    if not isinstance(shown, Report | Page):
        raise InputError(f"render takes a Report: shapeviz.render(shapeviz.measure({made_of(shown)}))")
    name, loaded = renderer(format)
    looks = View.__dataclass_fields__
    pages = () if isinstance(shown, Page) else ("verb", "path", "active", "by_kind", "columns", "depth", "summary")
    if wrong := next((choice for choice in choices if choice not in looks and choice not in pages), None):
        raise InputError(f"unknown choice {wrong!r}; {nearest(wrong, [*pages, *looks])}")
    view = view or View(**{choice: value for choice, value in choices.items() if choice in looks})
    wanted = {choice: value for choice, value in choices.items() if choice in pages}
    page = shown if isinstance(shown, Page) else page_of(shown, **wanted)
    check_drawn(name, page)
    return loaded.render(page, view)


def check_drawn(format: str, page: Page | None) -> None:
    """Raises InputError for a format that draws if a page, or None for whatever page of tables, has no figure."""
    name, loaded = renderer(format)
    if loaded.draws and (page is None or page.figure is None):
        others = ", ".join(other for other, each in renderers().items() if not each.draws)
        raise InputError(f"-f {name} draws a figure, and there is none of this page: use one of {others}")


def drawn(page: Page, view: View) -> tuple[Figure, Theme]:
    """The figure of a page that a view asks for, and its theme. Raises InputError for an unknown one of either."""
    from shapeviz.figure.themes import THEMES  # only what is drawn needs it: a cold start does not

    if view.theme not in THEMES:
        raise InputError(f"unknown theme {view.theme!r}; {nearest(view.theme, THEMES)}")
    if page.figure is None:
        raise InputError("there is no figure of this page")
    return page.figure(view.figure), THEMES[view.theme]


def _loaded(name: str) -> Renderer:
    module = plugins.load(PACKAGE, name, PREFIX)
    loaded = getattr(module, "renderer", None)
    if not isinstance(loaded, Renderer):
        raise ShapevizError(
            f'{module.__file__}: a renderer ends with `renderer = Renderer(render, "What it is.", …)`, '
            f"and here is {'none' if loaded is None else repr(loaded)}"
        )
    return loaded
