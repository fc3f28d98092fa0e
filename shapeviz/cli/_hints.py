"""What was probably meant by a verb or an option that is none, or by words that cannot be what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapeviz.errors import ShapevizError, nearest
from shapeviz.frontends import from_torch, names_model

MEANT = {
    "params": ("summary", "summarize", "count", "size"),
    "trace": ("shapes", "shape", "walk"),
    "report": ("figure", "figures", "draw", "plot", "visualize"),
    "diff": ("compare",),
    "models": ("list",),
    "verify": ("check", "prove", "test"),
    "cache": ("kv", "kv-cache"),
    "flops": ("macs", "compute"),
    "memory": ("activations", "ram", "vram"),
    "explain": ("why",),
}
"""Words of other tools and of everyday for what a verb does."""
LAYERS = "a model built from sizes has --enc and --dec layers; of a published one --size N=8 sets them"
MODEL = "MODEL stands without a flag: shapeviz params gpt2"
LIKE = {
    LAYERS: ("--layers", "--num-layers", "--n-layers", "--n-layer"),
    "the width is --d-model": ("--hidden-size", "--hidden", "--width", "--dim", "--embed-dim"),
    "the length of a sequence is --seq": ("--context", "--seq-len", "--length", "--sequence-length"),
    "it is --batch": ("--batch-size", "--bs"),
    "it is --dtype": ("--precision", "--torch-dtype"),
    "it is --vocab": ("--vocab-size",),
    MODEL: ("--model", "--config"),
}
OPTIONS = {flag: words for words, flags in LIKE.items() for flag in flags}
"""Options of other tools, and what does it here."""


def verb(name: str, verbs: Sequence[str]) -> str:
    """The end of a message about an unknown verb: a model that was meant, or the verb of another word."""
    try:
        if names_model(name):
            return f"it is a model: shapeviz {'trace' if from_torch.is_source(name) else 'params'} {name}"
    except ShapevizError:
        pass
    meant = next((verb for verb, words in MEANT.items() if name.lower() in words), "")
    return f"did you mean {meant!r}?  (known: {', '.join(verbs)})" if meant in verbs else nearest(name, verbs)


def slip(args: Sequence[str], command: Any) -> str:
    """What to type instead of what cannot be parsed as it was meant; empty if nothing is known to be wrong."""
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    for place, word in enumerate(args):
        if word == "--":
            break
        flag = word.partition("=")[0]
        following = args[place + 1 : place + 3]
        numbers = [text for text in following if text.replace("_", "").isdigit()]
        if flag not in known and flag in OPTIONS:
            return f"no option {flag}: {OPTIONS[flag]}"
        if word == "--head" and word in known and following[:1] and numbers[:1] == following[:1]:
            number = numbers[0]
            return f"--head {number}: --head is that of a published model; how many there are: --heads {number}"
        if word == "--ff" and flag in known and len(numbers) == 2:
            return f"--ff {' '.join(numbers)}: several widths have commas between them: --ff {','.join(numbers)}"
    return ""
