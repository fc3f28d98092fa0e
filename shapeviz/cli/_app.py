"""The program: verbs found as files of this folder, and a user's mistake turned into one message."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from shapeviz import __version__, plugins
from shapeviz.cli._frame import say
from shapeviz.cli._options import command
from shapeviz.errors import nearest

ORDER = ["trace", "params", "flops", "memory", "cache", "explain", "report", "diff", "models", "verify"]


class Verbs(TyperGroup):
    """The files of this folder as commands, read only when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = plugins.names("shapeviz.cli")
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def get_command(self, ctx: Any, name: str) -> Any:
        verbs = self.list_commands(ctx)
        if name not in verbs:
            say(f"Error: unknown verb {name[:80]!r}; {nearest(name[:80], verbs)}")
            raise typer.Exit(2)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name=name, cls=Verb)(command(plugins.load("shapeviz.cli", name)))
        return typer.main.get_command(single)


class Verb(TyperCommand):
    """One verb; its help ends with the formats that it can be written in, each as it describes itself."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if not any(option.name == "format" for option in self.params):
            return
        from shapeviz.renderers import renderers

        with formatter.section("Formats, -f or the suffix of -o"):
            formatter.write_dl([(_names(name, made), made.help) for name, made in renderers().items()])


def _names(name: str, made: Any) -> str:
    """`markdown, md (.md)`"""
    suffixes = f" ({', '.join(made.suffixes)})" if made.suffixes else ""
    return ", ".join((name, *made.aliases)) + suffixes


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="What shapes flow through a neural network, what it costs, and why: formulas, substitutions, values.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shapeviz {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Called before every verb; the options of a verb follow its name."""
