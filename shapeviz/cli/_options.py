"""The options that every verb takes, gathered into a Request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import typer

from shapeviz.cli import _complete, _help
from shapeviz.cli._frame import guarded
from shapeviz.errors import InputError
from shapeviz.frontends.from_torch import TraceOptions
from shapeviz.frontends.numbers import assigned, varied
from shapeviz.keys import SWITCH, keys
from shapeviz.models.transformer import Config
from shapeviz.symbols import flag

KEYS = {name: known for name, known in keys(Config).items() if known.help}
"""The keys of the model that is built from sizes which have a flag."""
SWITCHES = {name for name, known in KEYS.items() if known.kind is SWITCH}
SIZES = [name for name in KEYS if name not in SWITCHES]
TORCH = {
    "input": ("SPEC", "An input of a PyTorch module, 'x:float32[B,S,512]', without x: positional. Repeatable."),
    "size": ("NAME=N", "A size of a published model, N=16, or of a dimension of a module's inputs, B=32. Repeatable."),
    "vary": (
        "ARGUMENTS",
        "Arguments of a PyTorch class as letters, dim,heads, or expressions in letters, width=8*w.",
    ),
}
TORCH_SWITCHES = {
    "training": ("--training", "Forward and backward of a PyTorch module."),
    "input_grad": ("--input-grad/--no-input-grad", "The inputs require gradients as well. Default: for memory only."),
}

CONFIGURATION = {
    "head": (
        "--head/--no-head",
        "A published model with its head, or without. Default: as its config.json says.",
    ),
}
WAYS = {
    "via": ("torch", "Build a config.json's model with transformers, and trace it: for types that are not known here."),
    "ignore": ("KEY", "Pass over a key of a config.json that cannot matter. Repeatable."),
}

PATIENCE = "CPU seconds after which lengths, heights and widths become numbers. Default: 25."
NO_NAMES = (
    "--name {0} has ended: a number of a module has no name, since the same number may mean another size. "
    "Give the class instead, and its arguments as letters: file.py:Class --vary dim,heads"
)
MODEL = "A bundled model (gpt2), a config.json, a TOML file of sizes, or file.py:factory. Default: the 6 + 8 model."
THEMES = "light|dark|colorblind"
OUTPUT = "Write to a file; its suffix tells the format. Repeatable."


@dataclass(frozen=True)
class Request:
    """What the user asked for: the model, the sizes given, how and where to write the result."""

    verb: str
    model: str | None
    sizes: Mapping[str, Any]
    format: str | None
    output: tuple[str, ...]
    figure: str
    theme: str
    extra: Mapping[str, Any]
    torch: TraceOptions
    strict: bool
    head: bool | None = None
    via: str | None = None
    ignore: tuple[str, ...] = ()


def _option(
    name: str, kind: Any, *flags: str, default: Any = None, panel: str = _help.OUTPUT, **settings: Any
) -> Parameter:
    option = typer.Option(default, *flags, show_default=False, rich_help_panel=panel, **settings)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=kind)


def _parameters(verb: ModuleType) -> list[Parameter]:
    """Of a verb: its own, and the common ones unless it names those ONLY or those WITHOUT which it does.

    Those that are IDLE are taken, for the message why they have no meaning, and not offered.
    """
    only, without = getattr(verb, "ONLY", None), getattr(verb, "WITHOUT", ())
    idle = getattr(verb, "IDLE", ())
    common = [
        one
        for one in _common(verb)
        if one.name == "help_all" or ((only is None or one.name in only) and one.name not in without)
    ]
    for one in common:
        one.default.hidden = one.default.hidden or one.name in idle
    return [*getattr(verb, "PARAMETERS", ()), *common]


def _common(verb: ModuleType) -> list[Parameter]:
    model = typer.Argument(None, metavar="[MODEL]", help=MODEL, autocompletion=_complete.models)
    common = [Parameter("model", Parameter.KEYWORD_ONLY, default=model, annotation=str | None)]
    for name, key in KEYS.items():
        if name in SWITCHES:
            switch = f"{flag(name)}/{flag(f'no_{name}')}"
            common.append(_option(name, bool | None, switch, help=key.help, panel=_help.SIZES))
        else:
            metavar = key.kind.metavar
            common.append(
                _option(
                    name,
                    str | None,
                    flag(name),
                    metavar=metavar,
                    help=key.help,
                    panel=_help.SIZES,
                    autocompletion=_complete.among(metavar),
                )
            )
    for name, (metavar, text) in TORCH.items():
        panel = f"{_help.PUBLISHED}|{_help.PYTORCH}" if name == "size" else _help.PYTORCH
        common.append(_option(name, list[str] | None, f"--{name}", metavar=metavar, help=text, panel=panel))
    for name, (flags, text) in TORCH_SWITCHES.items():
        common.append(_option(name, bool | None, flags, help=text, panel=_help.PYTORCH))
    patience = _option(
        "patience", float | None, "--patience", metavar="SECONDS", help=PATIENCE, panel=_help.PYTORCH, min=0
    )
    common.append(patience)
    for name, (flags, text) in CONFIGURATION.items():
        common.append(_option(name, bool | None, flags, help=text, panel=_help.PUBLISHED))
    for name, (metavar, text) in WAYS.items():
        kind = list[str] | None if name == "ignore" else str | None
        common.append(_option(name, kind, f"--{name}", metavar=metavar, help=text, panel=_help.PUBLISHED))
    common += [
        _option("strict", bool, "--strict", default=False, help="Exit 1 if something cannot be counted."),
        _option(
            "format",
            str | None,
            "--format",
            "-f",
            metavar="FORMAT",
            help="How it is written, see below.",
            autocompletion=_complete.formats,
        ),
        _option("json", bool, "--json", default=False, help="The same as --format json."),
        _option(
            "output",
            list[str] | None,
            "--output",
            "-o",
            metavar=getattr(verb, "TARGET", "FILE"),
            help=getattr(verb, "OUTPUT", OUTPUT),
        ),
        _option(
            "figure",
            str,
            "--figure",
            default="model",
            metavar="WHAT",
            help="What is drawn: model, a kind of block (multi_head, attention, …), or a block's path.",
        ),
        _option(
            "theme",
            str,
            "--theme",
            default="light",
            metavar=THEMES,
            help="Of what is drawn: light, dark or colorblind.",
            autocompletion=_complete.among(THEMES),
        ),
        _option("name", list[str] | None, "--name", hidden=True),
        _option("debug", bool, "--debug", default=False, help="Show the traceback of an error."),
        _option(
            "help_all",
            bool,
            "--help-all",
            default=False,
            help="Every option, the formats and the exit codes.",
            is_eager=True,
            callback=_all,
        ),
    ]
    return common


def _all(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        typer.echo(ctx.command.whole_help(ctx))  # type: ignore[attr-defined]
        raise typer.Exit


def _torch(values: Mapping[str, Any]) -> TraceOptions:
    return TraceOptions(
        inputs=tuple(values["input"] or ()),
        sizes=assigned(values["size"] or (), "--size"),
        vary=varied(values["vary"] or ()),
        training=bool(values["training"]),
        input_grad=values["input_grad"],
        patience=values["patience"],
    )


def command(verb: ModuleType) -> Callable[..., None]:
    """The function that typer calls for a verb: its options gathered into a Request, its errors into messages."""
    name = verb.__name__.rpartition(".")[2]
    parameters = _parameters(verb)
    own = {parameter.name for parameter in getattr(verb, "PARAMETERS", ())}
    absent = {one.name: one.default.default for one in _common(verb)}

    def requested(arguments: Mapping[str, Any]) -> Request:
        values = {**absent, **arguments}
        if values["name"]:
            raise InputError(NO_NAMES.format(*values["name"]))
        if values["json"] and values["format"] not in (None, "json"):
            raise InputError(f"--json and -f {values['format']} contradict each other: give one of them")
        return Request(
            verb=name,
            model=values["model"],
            sizes={key: values[key] for key in KEYS if values[key] is not None},
            format="json" if values["json"] else values["format"],
            output=tuple(values["output"] or ()),
            figure=values["figure"],
            theme=values["theme"],
            extra={key: values[key] for key in own},
            torch=_torch(values),
            strict=values["strict"],
            head=values["head"],
            via=values["via"],
            ignore=tuple(values["ignore"] or ()),
        )

    def call(**values: Any) -> None:
        guarded(lambda: verb.run(requested(values)), values["debug"], values.get("format") == "github")

    call.__doc__ = verb.__doc__
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return call
