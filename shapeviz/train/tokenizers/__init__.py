"""Tokenizers: a kind a file, made from a text or loaded from a tokenizer.json as Hugging Face writes it.

All have `.kind`, `.vocab_size`, `.unknown` (the id of unknown text, or None), `.encode(text)` → numpy array of the
smallest unsigned dtype, `.decode(ids)` → str, `.unknown_pieces(text)` and `.save(path)`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shapeviz import plugins
from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.files import read_bytes

if TYPE_CHECKING:
    import numpy as np

LARGEST = 2**24
KINDS = {"char": "characters", "word": "words", "bpe": "bpe"}


class Tokenizer(Protocol):
    """Text as ids from 0 to vocab_size - 1, and back."""

    @property
    def kind(self) -> str:
        """char, word, bpe, or what a tokenizer.json calls its model."""

    @property
    def unknown(self) -> int | None:
        """The id of text that is not in the vocabulary; None if there is none."""

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""

    def encode(self, text: str) -> np.ndarray[Any, Any]:
        """Ids of a text, in the smallest unsigned dtype that holds them all."""

    def decode(self, ids: Any) -> str:
        """The text of ids. Raises InputError for an id that is none."""

    def unknown_pieces(self, text: str) -> list[str]:
        """What of a text is hidden behind the unknown token, in order."""

    def save(self, path: Path) -> None:
        """Writes a tokenizer.json, whole or not at all."""


def make(kind: str, text: str, vocab_size: int | None = None) -> Tokenizer:
    """A tokenizer of a kind, char, word or bpe, for a text. The same text gives the same one.

    Raises InputError for an unknown kind or an empty text, SizeError for a vocabulary that is too small or too large.
    """
    name = {file: short for short, file in KINDS.items()}.get(kind, kind)
    if name not in KINDS:
        raise InputError(f"unknown tokenizer {kind!r}; {nearest(kind, KINDS)}; or the path of a tokenizer.json")
    if not text:
        raise InputError("an empty text has no vocabulary")
    if vocab_size is not None and vocab_size < 1:
        raise SizeError(f"a vocabulary of {vocab_size} is none: at least 1 is needed")
    if vocab_size is not None and vocab_size > LARGEST:
        raise SizeError(f"a vocabulary of {vocab_size} is larger than {LARGEST:,}")
    made: Tokenizer = plugins.load("shapeviz.train.tokenizers", KINDS[name]).make(text, vocab_size)
    return made


def load(path: str | Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json, one of ours or any other. Raises InputError if it is none."""
    path = Path(path)
    try:
        content = read_bytes(path).decode()
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no tokenizer.json: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("model"), dict):
        raise InputError(f'{path} is no tokenizer.json: it has no "model"')
    from shapeviz.train.tokenizers import _library, characters

    return characters.from_json(data) or _library.from_json(content, data, str(path))
