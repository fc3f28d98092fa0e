"""The options that every verb takes, gathered into a Request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import typer

from shapeviz.cli._frame import guarded
from shapeviz.errors import InputError
from shapeviz.frontends.from_torch import Options, assigned
from shapeviz.models.transformer import Config

SIZES = {
    "enc": ("N", "Encoder layers; 0 for a decoder-only model."),
    "dec": ("N", "Decoder layers; 0 for an encoder-only model."),
    "d_model": ("N", "Width of the model."),
    "heads": ("N", "Query heads."),
    "kv_heads": ("N", "Key/value heads, shared by groups of query heads; 1 is multi-query. Default: heads."),
    "d_k": ("N", "Query and key width of a head. Default: d_model / heads if one of these is given."),
    "d_v": ("N", "Value width of a head. Default: d_k."),
    "ff": ("N,N,…", "Hidden widths of the feed-forward network, with commas."),
    "norm": ("layer|rms", "LayerNorm or RMSNorm."),
    "norm_position": ("post|pre", "Norm after each residual sum, or before each sublayer."),
    "vocab": ("N", "Vocabulary; without it embeddings and head are traced and not counted."),
    "positions": ("none|sinusoidal|learned|rotary", "How positions are encoded."),
    "max_len": ("N", "Longest sequence: rows of the table of learned positions."),
    "batch": ("N", "Batch size B. Default: 32, of a published model 1."),
    "seq": ("N", "Sequence length S (source and target). Default: 4096, of a published model at most its longest."),
    "tgt_seq": ("N", "Target length T, if it differs."),
}
SWITCHES = {
    "gated": "Gated feed-forward: two matrices for every hidden width.",
    "bias": "Biases in the linear layers; norms keep theirs, the head has none.",
    "tie": "One table for both embeddings and the head.",
}
TORCH = {
    "input": ("SPEC", "An input of a PyTorch module, 'x:float32[B,S,512]', without x: positional. Repeatable."),
    "size": ("NAME=N", "A size of a published model, N=16, or of a dimension of a module's inputs, B=32. Repeatable."),
    "name": ("NAME=N", "A number of the module that is to be written by name, d_model=512. Repeatable."),
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

MODEL = "A bundled model (gpt2), a config.json, a TOML file of sizes, or file.py:factory. Default: the 6 + 8 model."
OUTPUT = "Write to a file; its suffix tells the format. Repeatable."
FIGURE = "What dot, svg, png and pdf draw: model, a kind of block (multi_head, attention, …), or a block's path."


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
    torch: Options
    strict: bool
    head: bool | None = None
    via: str | None = None
    ignore: tuple[str, ...] = ()


def _option(name: str, kind: Any, *flags: str, default: Any = None, **settings: Any) -> Parameter:
    given = typer.Option(default, *flags, show_default=False, **settings)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=given, annotation=kind)


def _with_default(name: str, text: str) -> str:
    """The help of a size, which ends with its default unless it says so itself."""
    default = getattr(Config, name)
    if default is None or "Default" in text:
        return text
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    return f"{text} Default: {'yes' if default is True else 'no' if default is False else shown}."


def _parameters(verb: ModuleType) -> list[Parameter]:
    """Of a verb: its own, and the common ones unless it names those ONLY or those WITHOUT which it does."""
    only, without = getattr(verb, "ONLY", None), getattr(verb, "WITHOUT", ())
    common = [one for one in _common(verb) if (only is None or one.name in only) and one.name not in without]
    return [*getattr(verb, "PARAMETERS", ()), *common]


def _common(verb: ModuleType) -> list[Parameter]:
    model = typer.Argument(None, metavar="[MODEL]", help=MODEL)
    common = [Parameter("model", Parameter.KEYWORD_ONLY, default=model, annotation=str | None)]
    for name, (metavar, text) in SIZES.items():
        flag = "--" + name.replace("_", "-")
        common.append(_option(name, str | None, flag, metavar=metavar, help=_with_default(name, text)))
    for name, text in SWITCHES.items():
        common.append(_option(name, bool | None, f"--{name}/--no-{name}", help=_with_default(name, text)))
    for name, (metavar, text) in TORCH.items():
        common.append(_option(name, list[str] | None, f"--{name}", metavar=metavar, help=text))
    for name, (flags, text) in TORCH_SWITCHES.items():
        common.append(_option(name, bool | None, flags, help=text))
    for name, (flags, text) in CONFIGURATION.items():
        common.append(_option(name, bool | None, flags, help=text))
    for name, (metavar, text) in WAYS.items():
        kind = list[str] | None if name == "ignore" else str | None
        common.append(_option(name, kind, f"--{name}", metavar=metavar, help=text))
    common += [
        _option("strict", bool, "--strict", default=False, help="Exit 1 if something cannot be counted."),
        _option("format", str | None, "--format", "-f", help="table, md, json, csv, dot, svg, png or pdf."),
        _option("json", bool, "--json", default=False, help="The same as --format json."),
        _option(
            "output",
            list[str] | None,
            "--output",
            "-o",
            help=getattr(verb, "OUTPUT", OUTPUT),
        ),
        _option(
            "figure",
            str,
            "--figure",
            default="model",
            help=FIGURE,
        ),
        _option("theme", str, "--theme", default="light", help="light, dark or colorblind."),
        _option("debug", bool, "--debug", default=False, help="Show the traceback of an error."),
    ]
    return common


def _torch(values: Mapping[str, Any]) -> Options:
    return Options(
        inputs=tuple(values["input"] or ()),
        sizes=assigned(values["size"] or (), "--size"),
        names=assigned(values["name"] or (), "--name"),
        training=bool(values["training"]),
        input_grad=values["input_grad"],
    )


def command(verb: ModuleType) -> Callable[..., None]:
    """The function that typer calls for a verb: its options gathered into a Request, its errors into messages."""
    name = verb.__name__.rpartition(".")[2]
    parameters = _parameters(verb)
    own = {parameter.name for parameter in getattr(verb, "PARAMETERS", ())}
    absent = {one.name: one.default.default for one in _common(verb)}

    def requested(given: Mapping[str, Any]) -> Request:
        values = {**absent, **given}
        if values["json"] and values["format"] not in (None, "json"):
            raise InputError(f"--json and -f {values['format']} contradict each other: give one of them")
        return Request(
            verb=name,
            model=values["model"],
            sizes={key: values[key] for key in (*SIZES, *SWITCHES) if values[key] is not None},
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
        guarded(lambda: verb.run(requested(values)), values["debug"])

    call.__doc__ = verb.__doc__
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return call
