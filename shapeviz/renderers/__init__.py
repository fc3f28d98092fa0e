"""Renderers: one format a file. They see a Report and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeviz import plugins
from shapeviz.errors import InputError, nearest
from shapeviz.report import Report

ALIASES = {"md": "markdown"}
TABLES = ("table", "markdown", "json", "csv")  # formats that can show a view, or that hold all of it
SUFFIXES = {
    ".md": "markdown", ".json": "json", ".csv": "csv", ".dot": "dot", ".gv": "dot", ".svg": "svg", ".png": "png",
    ".pdf": "pdf", ".txt": "table",
}  # fmt: skip


@dataclass(frozen=True)
class View:
    """What of a report is to be shown: `trace`, `params`, `flops`, `explain` (one path) or `all` of it.

    `figure` is `model`, the name of a block (`multi_head`, `attention`, `latent_attention`, …) or its path; `theme` is
    light, dark or colorblind.
    `active` adds active parameters to the table of parameters, `by_kind` shows kinds of module instead of blocks.
    `figures` are links to drawn figures for a document, `command` is what made it, `versions` what it was made with.
    """

    verb: str = "all"
    path: str = ""
    figure: str = "model"
    theme: str = "light"
    figures: tuple[tuple[str, str], ...] = ()
    command: str = ""
    versions: str = ""
    active: bool = False
    by_kind: bool = False


def formats() -> list[str]:
    """The names of all formats: the files of this folder."""
    return plugins.names("shapeviz.renderers", "to_")


def render(report: Report, format: str = "table", view: View | None = None, **choices: Any) -> Any:
    """A report as text (bytes for png and pdf): `render(report, "markdown")`, `render(report, "dot", theme="dark")`.

    Choices are the fields of View. Raises InputError for an unknown format, figure or theme, MissingToolError if a
    figure needs Graphviz and it is not installed.
    """
    name = ALIASES.get(format, format)
    if name not in formats():
        raise InputError(f"unknown format {format!r}; {nearest(format, [*formats(), *ALIASES])}")
    if wrong := [choice for choice in choices if choice not in View.__dataclass_fields__]:
        raise InputError(f"unknown choice {wrong[0]!r}; {nearest(wrong[0], View.__dataclass_fields__)}")
    view = view or View(**choices)
    if (view.active or view.by_kind) and name not in TABLES:
        raise InputError(f"--active and --by-kind are for tables; -f {name} has everything, whatever the view")
    if view.active and "active" not in report.columns:
        raise InputError(f"no active parameters were measured of {report.name}: measure(model, ['params', 'active'])")
    return plugins.load("shapeviz.renderers", name, "to_").render(report, view)


def by_suffix(name: str) -> str | None:
    """The format of a file's name, None if its suffix is none of ours."""
    return next((kind for suffix, kind in SUFFIXES.items() if name.lower().endswith(suffix)), None)
