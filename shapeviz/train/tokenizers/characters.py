"""A character is a token: ids by one look-up in a table, in the order of the characters' code points."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shapeviz.errors import InputError, SizeError
from shapeviz.files import write
from shapeviz.train.tokenizers._ids import Ids, checked, smallest

SPLIT = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
CHUNK = 2**15
"""Characters looked up at once, so that their code points stay in the cache."""


@dataclass(frozen=True)
class Characters:
    """An alphabet: character number i is token i. The alphabet is in the order of its code points."""

    alphabet: str
    kind: str = "char"
    unknown: int | None = None

    @property
    def vocab_size(self) -> int:
        """How many characters there are."""
        return len(self.alphabet)

    @cached_property
    def _codes(self) -> Ids:
        """The code point of each token."""
        return _points(self.alphabet)

    @cached_property
    def _table(self) -> Ids:
        """The token of each code point up to the highest one, vocab_size where there is none."""
        table = np.full(int(self._codes.max()) + 2, self.vocab_size, smallest(self.vocab_size + 1))
        table[self._codes] = np.arange(self.vocab_size)
        return table

    @cached_property
    def _bytes(self) -> bytes:
        """The token of each byte of latin-1, for a vocabulary of less than 256."""
        table = np.full(256, self.vocab_size, np.uint8)
        table[: len(self._table)] = self._table[:256]
        return table.tobytes()

    @cached_property
    def _latin(self) -> bytes:
        """The byte of latin-1 of each token."""
        return self._codes.astype(np.uint8).tobytes().ljust(256, b"?")

    def encode(self, text: str) -> Ids:
        """Ids of a text. Raises InputError that names the characters which are not in the alphabet."""
        if self.vocab_size < 256 and text.isascii():
            ids: Ids = np.frombuffer(text.encode("ascii").translate(self._bytes), np.uint8)
        else:
            ids = np.empty(len(text), self._table.dtype)
            for start in range(0, len(text), CHUNK):
                codes = _points(text[start : start + CHUNK])
                np.take(self._table, codes, mode="clip", out=ids[start : start + CHUNK])
        if len(ids) and int(ids.max()) == self.vocab_size:
            raise InputError(self._unknown(text))
        return ids.astype(smallest(self.vocab_size), copy=False)

    def decode(self, ids: Any) -> str:
        """The text of ids. Raises InputError for an id that is none."""
        array = checked(ids, self.vocab_size)
        if array.dtype == np.uint8 and self._codes[-1] < 256:
            return array.tobytes().translate(self._latin).decode("latin-1")
        return self._codes[array].tobytes().decode("utf-32-le", "surrogatepass")

    def unknown_pieces(self, text: str) -> list[str]:
        """None: an unknown character is an error of `encode`."""
        return []

    def save(self, path: Path) -> None:
        """Writes a tokenizer.json that Hugging Face's library reads as well."""
        model = {"type": "WordLevel", "vocab": {c: i for i, c in enumerate(self.alphabet)}, "unk_token": ""}
        data: dict[str, Any] = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": SPLIT, "post_processor": None, "decoder": {"type": "Fuse"}, "model": model,
        }  # fmt: skip
        write(Path(path), json.dumps(data, ensure_ascii=True, indent=1) + "\n")

    def _unknown(self, text: str) -> str:
        missing = sorted(set(text) - set(self.alphabet), key=text.index)
        shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        alphabet = "".join(character for character in self.alphabet if character.isprintable())
        alphabet = alphabet if len(alphabet) <= 120 else alphabet[:120] + "…"
        return f"the tokenizer does not know {shown}{more}; its {self.vocab_size} characters: {alphabet}"


def make(text: str, vocab_size: int | None = None) -> Characters:
    """The alphabet of a text. Raises SizeError if it has more characters than a vocabulary that was asked for."""
    alphabet = "".join(sorted(set(text)))
    if vocab_size is not None and vocab_size < len(alphabet):
        raise SizeError(
            f"the text has {len(alphabet)} different characters, more than the vocabulary of {vocab_size} asked for: "
            "leave the vocabulary out, or take a bpe tokenizer"
        )
    return Characters(alphabet)


def from_json(data: dict[str, Any]) -> Characters | None:
    """The tokenizer that `save` wrote; None if these are the data of another one."""
    vocab = data["model"].get("vocab")
    if data.get("pre_tokenizer") != SPLIT or not isinstance(vocab, dict) or data.get("added_tokens"):
        return None
    alphabet = sorted(vocab)
    if [vocab[c] for c in alphabet] != list(range(len(alphabet))) or not all(len(c) == 1 for c in alphabet):
        return None
    return Characters("".join(alphabet)) if alphabet else None


def _points(text: str) -> Ids:
    """The code points of a text: uint32, one a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
