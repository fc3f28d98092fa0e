"""The program: verbs found as files of this folder, and a user's mistake turned into one message."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from shapeviz import __version__, plugins
from shapeviz.cli import _help, _hints
from shapeviz.cli._frame import say
from shapeviz.cli._options import command

ORDER = ["trace", "params", "flops", "memory", "cache", "explain", "report", "diff", "models", "verify"]
SETTINGS = {"help_option_names": ["-h", "--help"]}


class Verbs(TyperGroup):
    """The files of this folder as commands, read only when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = plugins.names("shapeviz.cli")
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As they are typed, but `help VERB` is `VERB --help`, and nothing at all asks where to begin."""
        if not args and not ctx.resilient_parsing:
            typer.echo(_help.start(self.list_commands(ctx)))
            raise typer.Exit
        if args[:1] == ["help"]:
            args = [*args[1:2], "--help", *args[2:]]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_help.program(self.list_commands(ctx), self.help or "") + "\n")

    def get_command(self, ctx: Any, name: str) -> Any:
        verbs = self.list_commands(ctx)
        if name not in verbs:
            if ctx.resilient_parsing:
                return None
            say(f"Error: unknown verb {name[:80]!r}; {_hints.verb(name[:200], verbs)}")
            raise typer.Exit(2)
        module = plugins.load("shapeviz.cli", name)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name=name, cls=Verb, context_settings=dict(SETTINGS))(command(module))
        made = typer.main.get_command(single)
        assert isinstance(made, Verb)
        made.module = module
        return made


class Verb(TyperCommand):
    """One verb, `module`: its help has examples on top and fits on a screen, and a slip that is often made is told."""

    module: ModuleType
    typed: tuple[str, ...] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self.typed = tuple(args)
        if not ctx.resilient_parsing and (hint := _hints.slip(args, self)):
            say(f"Error: {hint}")
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        typed = [word for word in self.typed if word not in ctx.help_option_names]
        formatter.write(_help.brief(self, self.module, ctx, typed) + "\n")

    def whole_help(self, ctx: Any) -> str:
        """All that there is to say, for --help-all."""
        return _help.whole(self, self.module, ctx.make_formatter())


app = typer.Typer(
    cls=Verbs,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=dict(SETTINGS),
    help="What shapes flow through a neural network, what it costs, and why: formulas, substitutions, values.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shapeviz {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", "-V", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Called before every verb; the options of a verb follow its name."""
