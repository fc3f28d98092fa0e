"""The glossary: what every letter means that formulas of several models share, and its long name.

A letter stands here once. Flags and their help, keywords, TOML, legends, JSON, hints and proofs read it from here.
Letters of one family alone are declared in that family's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Symbol(NamedTuple):
    """A letter, what it means, and `key`: its long name in flags, keywords, TOML and JSON.

    `help` is what the help of its flag says; a letter without it has no flag. `default` is that of the model built from
    sizes, None where it follows from other sizes or is not known; `follows` says in words what else it may be.
    `of_run` marks sizes of a run, which are no part of an architecture; `many` one that may be a list, d_ff1, d_ff2, ….
    """

    letter: str
    meaning: str
    key: str
    help: str = ""
    default: int | tuple[int, ...] | None = None
    follows: str = ""
    of_run: bool = False
    many: bool = False

    @property
    def flag(self) -> str:
        """`--kv-heads`; empty for a letter without a flag."""
        return flag(self.key) if self.help else ""


GLOSSARY = (
    Symbol("B", "batch", "batch", "Batch size B.", 32, "of a published model 1", of_run=True),
    Symbol("S", "sequence length", "seq", "Sequence length S (source and target).", 4096,
           "of a published model at most its longest", of_run=True),
    Symbol("T", "target length", "tgt_seq", "Target length T, if it differs.", follows="seq", of_run=True),
    Symbol("V", "vocabulary", "vocab", "Vocabulary; without it embeddings and head are traced and not counted."),
    Symbol("P", "rows of the position table", "max_len", "Longest sequence: rows of the table of learned positions.",
           follows="the longest sequence"),
    Symbol("N", "layers", "layers"),
    Symbol("N_enc", "encoder layers", "enc", "Encoder layers; 0 for a decoder-only model.", 6),
    Symbol("N_dec", "decoder layers", "dec", "Decoder layers; 0 for an encoder-only model.", 8),
    Symbol("N_dense", "dense layers", "dense_layers"),
    Symbol("N_moe", "layers with experts", "moe_layers"),
    Symbol("N_full", "layers that attend to all", "full_layers"),
    Symbol("N_sliding", "layers with a sliding window", "sliding_layers"),
    Symbol("d_model", "model width", "d_model", "Width of the model.", 1024),
    Symbol("h", "heads", "heads", "Query heads.", 6),
    Symbol("g", "key/value heads", "kv_heads", "Key/value heads, shared by groups of query heads; 1 is multi-query.",
           follows="heads"),
    Symbol("d_k", "query and key width of a head", "d_k", "Query and key width of a head.", 128,
           "d_model / heads if one of these is given and it is an integer"),
    Symbol("d_v", "value width of a head", "d_v", "Value width of a head.", follows="d_k"),
    Symbol("d_ff", "feed-forward width", "ff", "Hidden widths of the feed-forward network, with commas.", (512, 512),
           many=True),
    Symbol("d_e", "width of one expert", "expert_width"),
    Symbol("d_s", "width of the shared experts", "shared_width"),
    Symbol("E", "experts", "experts"),
    Symbol("k", "experts that a token meets", "active_experts"),
    Symbol("w", "sliding window", "window"),
    Symbol("C", "labels", "labels", of_run=True),
    Symbol("b_w", "bytes of an element of a weight", "weight_bytes", of_run=True),
    Symbol("b_a", "bytes of an element of an activation", "activation_bytes", of_run=True),
    Symbol("b_kv", "bytes of a cached element", "cache_bytes", of_run=True),
)  # fmt: skip

BY_LETTER = {symbol.letter: symbol for symbol in GLOSSARY}
LETTERS = {symbol.key: symbol.letter for symbol in GLOSSARY if symbol.help}
"""The letter that each flag sets, by the flag's key."""
_PLACES = {symbol.letter: place for place, symbol in enumerate(GLOSSARY)}
RUNS = tuple(symbol.letter for symbol in GLOSSARY if symbol.of_run)
BYTES = tuple(symbol.letter for symbol in GLOSSARY if symbol.letter.startswith("b_"))
"""Bytes of an element, by what it is an element of."""
DIMENSIONS = {symbol.key: symbol.letter for symbol in GLOSSARY if symbol.of_run and symbol.help}
"""The letters of a batch and its lengths, B, S and T, by their keys: the only sizes that any model has."""


def flag(key: str) -> str:
    """The flag of a key.

    >>> flag("kv_heads")
    '--kv-heads'
    """
    return "--" + key.replace("_", "-")


def numbered(letter: str, count: int) -> list[str]:
    """The letters of a list of sizes: the letter itself for one size, or one with a number for each.

    >>> numbered("d_ff", 1), numbered("d_ff", 2)
    (['d_ff'], ['d_ff1', 'd_ff2'])
    """
    return [letter] if count == 1 else [f"{letter}{number}" for number in range(1, count + 1)]


def letters(keys: Iterable[str]) -> dict[str, str]:
    """The key under which each letter stands, of those keys that are a letter's: the SYMBOLS of a family with our keys.

    >>> letters(["heads", "bias", "d_k"])
    {'h': 'heads', 'd_k': 'd_k'}
    """
    own = frozenset(keys)
    return {symbol.letter: symbol.key for symbol in GLOSSARY if symbol.key in own}


def meaning(letter: str) -> str:
    """What a letter means; empty for one that only a family knows.

    >>> meaning("g"), meaning("d_ff2")
    ('key/value heads', 'feed-forward width 2')
    """
    if letter in BY_LETTER:
        return BY_LETTER[letter].meaning
    base, number = _split(letter)
    return f"{BY_LETTER[base].meaning} {number}" if number else ""


def long_name(letter: str) -> str:
    """The long name of a letter; empty for one that only a family knows.

    >>> long_name("g"), long_name("d_ff2")
    ('kv_heads', 'ff_2')
    """
    if letter in BY_LETTER:
        return BY_LETTER[letter].key
    base, number = _split(letter)
    return f"{BY_LETTER[base].key}_{number}" if number else ""


def place(letter: str) -> float:
    """Where a letter stands in the order of the glossary; those of one family alone come last."""
    base, number = _split(letter)
    return _PLACES.get(base, len(_PLACES)) + int(number or 0) / 1000


def _split(letter: str) -> tuple[str, str]:
    """`d_ff` and `2` of `d_ff2`: the letter and the number of one of a list; without a number for others."""
    if letter not in BY_LETTER and (listed := re.fullmatch(r"(.*[^\d])(\d+)", letter)):
        base, number = listed.groups()
        if base in BY_LETTER and BY_LETTER[base].many:
            return base, number
    return letter, ""
