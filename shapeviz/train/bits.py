"""Bits per character: what a loss in nats per token says of the text itself, whatever the tokens are.

bits per character = loss · tokens / (characters · ln 2), if the tokens give the text back. <unk> hides characters;
those are paid for by spelling each hidden piece with the frequencies of characters in the training part, so that the
bits are those of a lossless code. A tokenizer that loses more (case, accents, white space) has no bits per character.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, log2
from typing import Any

from shapeviz.train.tokenizers import Tokenizer

CODE_POINT = 21  # bits of a character that the training part does not have


@dataclass(frozen=True)
class Coding:
    """A tokenizer as a code for the characters of a validation part.

    `hidden` are bits a character for what unknown tokens hide, `unknown` is the share of these tokens, and `lossless`
    tells whether the text is known from its tokens and the hidden pieces.
    """

    chars_per_token: float = 1.0
    hidden: float = 0.0
    unknown: float = 0.0
    lossless: bool = True

    def bits(self, loss: float) -> float | None:
        """A loss in nats per token as bits per character; None for a code that loses text."""
        return loss / log(2) / self.chars_per_token + self.hidden if self.lossless else None

    def nats(self, bits: float) -> float:
        """Bits per character as a loss in nats per token."""
        return (bits - self.hidden) * self.chars_per_token * log(2)

    @property
    def exact(self) -> bool:
        """Whether every token stands for its characters and no other text."""
        return self.lossless and not self.unknown

    @property
    def note(self) -> str:
        """What is to be known of the bits beside them; empty where there is nothing."""
        if not self.lossless:
            return "no bits per character: the tokenizer does not give the text back"
        return f"{self.unknown:.2g} of the tokens are unknown, and paid for" if self.unknown else ""


def perplexity(loss: float) -> float:
    """exp(loss): among how many equally likely tokens a model of this loss chooses (Jelinek et al. 1977).

    >>> round(perplexity(4.174387269895637))
    65
    """
    return exp(loss) if loss < 700 else inf


def coding(tokenizer: Tokenizer, train_text: str, val_text: str, val_ids: Any, train_ids: Any = None) -> Coding:
    """The code that a tokenizer is for a text, of which both parts are given, and their ids as arrays of numpy."""
    tokens, unknown = max(1, len(val_ids)), tokenizer.unknown
    count = int((val_ids == unknown).sum()) if unknown is not None else 0
    pieces = tokenizer.unknown_pieces(val_text) if count else []
    ends = 0
    if count:
        train_ids = tokenizer.encode(train_text) if train_ids is None else train_ids
        ends = int((train_ids == unknown).sum())
    hidden = spelled(pieces, train_text, ends) / max(1, len(val_text))
    lossless = restored(tokenizer, val_ids, pieces) == val_text
    return Coding(len(val_text) / tokens, hidden, count / tokens, lossless)


def spelled(pieces: Sequence[str], train_text: str, ends: int) -> float:
    """Bits of hidden pieces, one character after another, each with an end; `ends` pieces are hidden in training.

    A character costs what its frequency in the training part says, and one that is not there its code point as well.
    """
    if not pieces:
        return 0.0
    counts = Counter(train_text)
    ends = max(1, ends)
    total = len(train_text) + ends + 1
    known = {character: log2(total / count) for character, count in counts.items()}
    new, end = log2(total) + CODE_POINT, log2(total / ends)
    return sum(sum(known.get(c, new) for c in piece) + end for piece in pieces)


def restored(tokenizer: Tokenizer, ids: Any, pieces: Sequence[str]) -> str:
    """The text of ids (an array of numpy) with what is hidden behind unknown tokens, in order, put in their place."""
    if not pieces:
        return tokenizer.decode(ids)
    text, start = [], 0
    for piece, place in zip(pieces, (ids == tokenizer.unknown).nonzero()[0].tolist(), strict=True):
        text += [tokenizer.decode(ids[start:place]), piece]
        start = place + 1
    return "".join([*text, tokenizer.decode(ids[start:])])
