"""Hugging Face's `tokenizers` as one of ours: long texts in pieces, unknown words counted, files in its own format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from shapeviz.errors import InputError, MissingToolError, requiring
from shapeviz.files import write
from shapeviz.train.tokenizers._ids import Ids, checked, smallest

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

PIECE = 100_000

# How our own tokenizers cut a text before they look for tokens, as their files say it. Both cut at every single space
# between two words, so that a long text may be encoded in pieces: a file with one of these is as divisible as ours.
WORDS = r"\w+(?:['’]\w+)*|[^\w\s]|\s"
OUR_CUTS = (
    {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False},  # words
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},  # bpe
)


def library() -> ModuleType:
    """The package `tokenizers`. Raises MissingToolError if it is not installed."""
    with requiring("a word or bpe tokenizer, or a tokenizer.json of another program,", "tokenizers"):
        import tokenizers
    return tokenizers


@dataclass(frozen=True)
class Library:
    """A tokenizer of that library. `divisible`: a text may be cut before a single space without changing its ids."""

    tokenizer: Tokenizer
    kind: str
    divisible: bool = False

    @property
    def vocab_size(self) -> int:
        """One more than the highest id, tokens that were added included."""
        return self._size

    @cached_property
    def _size(self) -> int:
        return 1 + max(self.tokenizer.get_vocab(with_added_tokens=True).values())

    @cached_property
    def unknown(self) -> int | None:
        """The id of text that is not in the vocabulary; None if there is none."""
        model = json.loads(self.tokenizer.to_str())["model"]
        if isinstance(model.get("unk_id"), int):
            return int(model["unk_id"])
        name = model.get("unk_token")
        return self.tokenizer.token_to_id(name) if name else None

    def encode(self, text: str) -> Ids:
        """Ids of a text, without special tokens around it. Raises InputError for text that UTF-8 cannot hold."""
        import numpy as np

        kind = smallest(self._size)
        parts = [np.array(encoding.ids, kind) for _, encoding in self._encodings(text)]
        return np.concatenate(parts) if parts else np.zeros(0, kind)

    def unknown_pieces(self, text: str) -> list[str]:
        """What of a text is hidden behind the unknown token, in order."""
        return [
            piece[start:end]
            for piece, encoding in self._encodings(text) if self.unknown is not None
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True) if token == self.unknown
        ]  # fmt: skip

    def _encodings(self, text: str) -> Iterator[tuple[str, Encoding]]:
        for piece in pieces(text) if self.divisible else [text]:
            try:
                yield piece, self.tokenizer.encode(piece, add_special_tokens=False)
            except UnicodeEncodeError as error:
                half = f"U+{ord(piece[error.start]):04X}"
                raise InputError(f"a character is half of a pair ({half}): no text in UTF-8 has it") from None
            except Exception as error:  # the library raises no narrower one
                raise InputError(f"the tokenizer cannot encode the text: {str(error).splitlines()[0]}") from None

    def decode(self, ids: Any) -> str:
        """The text of ids, special tokens included. Raises InputError for an id that is none."""
        text: str = self.tokenizer.decode(checked(ids, self._size).tolist(), skip_special_tokens=False)
        return text

    def save(self, path: Path) -> None:
        """Writes a tokenizer.json, as the library does."""
        write(Path(path), self.tokenizer.to_str(pretty=True) + "\n")


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """A text in pieces of about that size, each but the first beginning with a space between two words.

    No token of words or of GPT-2's pattern goes over such a place, nor looks beyond it.
    """
    between = re.compile(r"(?<=\S) (?=\S)")
    start = 0
    while len(text) - start > size and (found := between.search(text, start + size)):
        yield text[start : found.start()]
        start = found.start()
    if start < len(text):
        yield text[start:]


def from_json(content: str, data: dict[str, Any], source: str) -> Library:
    """The tokenizer of a tokenizer.json. Raises InputError if the library refuses it."""
    try:
        tokenizer = library().Tokenizer.from_str(content)
    except MissingToolError:
        raise
    except Exception as error:  # the library raises no narrower one
        raise InputError(f"{source} is no tokenizer.json: {str(error).splitlines()[0]}") from None
    if not tokenizer.get_vocab_size():
        raise InputError(f"{source}: its vocabulary is empty")
    ids = tokenizer.get_vocab(with_added_tokens=True).values()
    if max(ids) > 2**20 + 16 * len(ids):
        raise InputError(f"{source}: the id {max(ids):,} is far beyond its {len(ids):,} tokens")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    kind = str(data["model"].get("type") or "file").lower()
    bare = data.get("normalizer") is None and not data.get("added_tokens")
    ours = bare and data.get("pre_tokenizer") in OUR_CUTS
    return Library(tokenizer, {"wordlevel": "word"}.get(kind, kind), divisible=ours)
