"""Tokenizers beside each other on one text: size, unknowns, characters a token, speed, and bits per character reached.

A loss per token cannot compare them, since their tokens are of different length. What they say of the same text can,
in bits per character: `shapeviz.train.bits`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from shapeviz.errors import InputError
from shapeviz.files import write
from shapeviz.keys import whole
from shapeviz.train import bits, tokenizers
from shapeviz.train import corpus as corpora
from shapeviz.train.bits import Coding
from shapeviz.train.corpus import Corpus
from shapeviz.train.recipe import Recipe

KINDS = ("char", "word", "bpe:512", "bpe:2000")
SAMPLE = 1_000_000  # characters that are timed


@dataclass(frozen=True)
class Row:
    """One tokenizer on one corpus; shares, lengths and round trip are those of the validation part.

    `encoding` and `decoding` are millions of characters a second, `seconds` those of making it, `loss` nats per token.
    `parameters`, `loss` and `bits_per_character` are None without training, the last one also where text is lost.
    """

    tokenizer: str
    vocabulary: int
    unknown: float
    characters_per_token: float
    round_trip: bool
    seconds: float
    encoding: float
    decoding: float
    parameters: int | None = None
    loss: float | None = None
    bits_per_character: float | None = None


def compare(
    corpus: Corpus, kinds: Sequence[str] = KINDS, recipe: Recipe | None = None, say: Callable[[str], None] = print
) -> list[Row]:
    """A row for each of `char`, `word`, `word:2000`, `bpe:512` or the path of a tokenizer.json.

    With a recipe a model is trained with each by it, in a folder that is removed. Raises InputError or SizeError for a
    kind that is none, before anything is trained.
    """
    train_text, val_text = corpora.split(corpus.text)
    tasks = []
    for kind in kinds:
        name, size = parsed(kind)
        row, coding = _measured(kind, name, size, corpus.text, train_text, val_text)
        say(f"{kind}: {row.vocabulary:,} tokens, {row.characters_per_token:.2f} characters a token")
        tasks.append((row, replace(recipe, tokenizer=name, vocab_size=size) if recipe else None, coding))
    rows = []
    for row, own, coding in tasks:
        if own is not None:
            say(f"{row.tokenizer}: {own.steps:,} steps")
            parameters, loss = trained(corpus.text, own)
            row = replace(row, parameters=parameters, loss=loss, bits_per_character=coding.bits(loss))
        rows.append(row)
    return rows


def parsed(kind: str) -> tuple[str, int | None]:
    """`bpe:512` as kind and vocabulary; a path is left as it is. Raises InputError for a size that is no number.

    >>> parsed("bpe:512"), parsed("word")
    (('bpe', 512), ('word', None))
    """
    if kind.endswith(".json"):
        return kind, None
    name, colon, size = kind.partition(":")
    if colon and whole(size) is None:
        raise InputError(f"tokenizer {kind!r}: a number of tokens is expected after the colon, as in bpe:512")
    return name, whole(size) if colon else None


def _measured(kind: str, name: str, size: int | None, text: str, train_text: str, val_text: str) -> tuple[Row, Coding]:
    """What a tokenizer is without training; characters know the whole text, others its training part alone."""
    start = perf_counter()
    if name.endswith(".json"):
        tokenizer = tokenizers.load(name)
    else:
        tokenizer = tokenizers.make(name, text if name == "char" else train_text, size)
    made = perf_counter()
    sample = text[:SAMPLE]
    ids = tokenizer.encode(sample)
    val_ids = tokenizer.encode(val_text)
    if not len(val_ids):
        raise InputError(f"{kind} finds no token in the text")
    coding = bits.coding(tokenizer, train_text, val_text, val_ids)
    return Row(
        tokenizer=kind, vocabulary=tokenizer.vocab_size, unknown=coding.unknown,
        characters_per_token=coding.chars_per_token, round_trip=coding.exact,
        seconds=made - start, encoding=_rate(lambda: tokenizer.encode(sample), len(sample)),
        decoding=_rate(lambda: tokenizer.decode(ids), len(sample)),
    ), coding  # fmt: skip


def _rate(work: Callable[[], object], characters: int) -> float:
    """Millions of characters a second, the best of three times."""

    def once() -> float:
        start = perf_counter()
        work()
        return perf_counter() - start

    return characters / min(once() for _ in range(3)) / 1e6


def trained(text: str, recipe: Recipe) -> tuple[int, float]:
    """Trains on a text by a recipe, in a folder that is removed: parameters, validation loss in nats per token."""
    from shapeviz.frontends import read
    from shapeviz.report import measure
    from shapeviz.train.loop import train

    with TemporaryDirectory() as place:
        source, folder = Path(place) / "corpus.txt", Path(place) / "run"
        write(source, text)
        outcome = train(replace(recipe, csv=None, column=None, texts=(str(source),)), folder, say=_quiet, report=False)
        parameters = int(measure(read(str(folder / "config.json")), ("params",)).total["params"].value)
    return parameters, outcome.val_loss


def _quiet(_: str) -> None:
    """What a run says of itself is not said here."""
