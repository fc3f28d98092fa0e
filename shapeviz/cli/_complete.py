"""What a shell offers where a model, a format, a column or one of a few words is typed; read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

SOURCES = (".json", ".toml", ".py")


def models(incomplete: str) -> list[str]:
    """The bundled models, and the files here that a model can be read from."""
    from shapeviz import published

    folder, _, start = incomplete.rpartition("/")
    here = Path(folder or ("/" if incomplete.startswith("/") else "."))
    prefix = incomplete[: len(incomplete) - len(start)]
    found = sorted(here.iterdir()) if here.is_dir() else []
    files = [prefix + one.name + "/" * one.is_dir() for one in found if one.is_dir() or one.suffix in SOURCES]
    return [name for name in (*published.names(), *files) if name.startswith(incomplete)]


def formats(incomplete: str) -> list[str]:
    """The formats that something can be written in."""
    from shapeviz.renderers import formats

    return [name for name in formats() if name.startswith(incomplete)]


def columns(incomplete: str) -> list[str]:
    """The columns, also after some that have been typed."""
    from shapeviz import analyses

    before, comma, start = incomplete.rpartition(",")
    return [before + comma + name for name in analyses.names() if name.startswith(start)]


def among(choices: str) -> Callable[[str], list[str]] | None:
    """The words of `layer|rms`; None for a value that is no choice."""
    if "|" not in choices:
        return None
    return lambda incomplete: [word for word in choices.split("|") if word.startswith(incomplete)]
