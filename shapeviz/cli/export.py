"""A trained model for other programs: config.json, model.safetensors and tokenizer as transformers reads them."""

from __future__ import annotations

from pathlib import Path

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.cli._trained import CHECKPOINT, FOLDER, folder_of
from shapeviz.errors import InputError, requiring
from shapeviz.train import PACKAGES

EXAMPLES = (
    "shapeviz export runs/1 -o gpt",
    "shapeviz export runs/1 --checkpoint last -o gpt",
)
ONLY = ("output", "debug")
OUTPUT = "The folder to write. Needed."
PARAMETERS = [FOLDER, CHECKPOINT]


def run(request: Request) -> None:
    folder = folder_of(request, "shapeviz export runs/friends -o friends")
    if len(request.output) != 1 or not request.output[0]:
        raise InputError(f"name one folder to write: shapeviz export {folder} -o FOLDER")
    with requiring("export", *PACKAGES):
        from shapeviz.train import export, generate
    module, tokenizer = generate.load(folder, request.extra["checkpoint"])
    target = Path(request.output[0])
    name = export.write(module, tokenizer, target)
    say(f"wrote {target}: transformers.{name}.from_pretrained({str(target)!r}) reads it, and so does AutoTokenizer")
