"""Text from a model that `shapeviz train` has trained."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Any

import typer

from shapeviz.cli._frame import put, say
from shapeviz.cli._options import Request
from shapeviz.cli._output import keep_what_is_read
from shapeviz.cli._trained import CHECKPOINT, FOLDER, folder_of
from shapeviz.errors import requiring
from shapeviz.train import PACKAGES

EXAMPLES = (
    'shapeviz generate runs/1 --prompt "To be"',
    "shapeviz generate runs/1 --temperature 0.8 --top-p 0.9 --samples 3",
)
ONLY = ("output", "debug")
OUTPUT = "Write the text to a file instead."


def _option(name: str, kind: Any, default: Any, text: str, metavar: str | None = None, flags: str = "") -> Parameter:
    option = typer.Option(default, flags or "--" + name.replace("_", "-"), metavar=metavar, help=text)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=kind)


PARAMETERS = [
    FOLDER,
    _option("prompt", str, "", "What the text begins with. Default: it begins as after a line's end.", "TEXT"),
    _option("tokens", int, 500, "Tokens after the prompt.", "N"),
    _option("temperature", float, 1.0, "Above 1 flatter, below 1 sharper; 0 takes the likeliest token always.", "X"),
    _option("top_k", int | None, None, "Only the N likeliest tokens.", "N"),
    _option("top_p", float | None, None, "Only the fewest tokens that have this probability together.", "X"),
    _option("seed", int | None, None, "The same seed, the same text. Default: another one each time, told.", "N"),
    _option("samples", int, 1, "So many texts at once.", "N"),
    CHECKPOINT,
    _option(
        "cache",
        bool,
        True,
        "Keys and values are kept; without, the window slides by a token at a time, and all is computed anew.",
        flags="--cache/--no-cache",
    ),
    _option("device", str, "auto", "auto, cpu, cuda, cuda:N or mps.", "NAME"),
]
RULE = "\n" + "─" * 40 + "\n"


def run(request: Request) -> None:
    options = request.extra
    folder = folder_of(request, "shapeviz generate runs/friends")
    with requiring("generate", *PACKAGES):
        from shapeviz.train import generate, hardware
    from shapeviz.train.sampling import Sampling

    keep_what_is_read(request, map(Path, request.output))
    sampling = Sampling(options["temperature"], options["top_k"], options["top_p"])
    generate.check(options["tokens"], options["samples"])
    device = hardware.device_of(options["device"])
    module, tokenizer = generate.load(folder, options["checkpoint"])
    module.to(device)
    seed = options["seed"]
    if seed is None:
        from random import SystemRandom

        seed = SystemRandom().randrange(2**31)
        if sampling.temperature:
            say(f"seed {seed}; --seed {seed} gives the same text")
    streamed = options["samples"] == 1 and not request.output
    with hardware.enough_memory("while texts are generated", "fewer --samples take less"):
        texts = generate.samples(
            module, tokenizer, options["prompt"], options["tokens"], sampling, seed, options["cache"],
            options["samples"], _shown if streamed else None,
        )  # fmt: skip
    text = RULE.join(texts) + "\n"
    if streamed:
        put(b"\n")
    elif request.output:
        from shapeviz.files import write_all

        write_all({Path(name): text for name in request.output})
        for name in request.output:
            say(f"wrote {name}")
    else:
        put(text.encode())


def _shown(text: str) -> None:
    """Shows a piece of a text at once; where nobody reads on, no more is generated."""
    if not put(text.encode()):
        raise typer.Exit(0)
