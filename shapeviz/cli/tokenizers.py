"""Tokenizers compared on your text: vocabulary, unknowns, characters a token, speed, bits per character reached."""

from __future__ import annotations

from dataclasses import asdict
from inspect import Parameter
from typing import TYPE_CHECKING, Any

import typer

from shapeviz.cli._frame import say
from shapeviz.cli._options import Request
from shapeviz.cli._output import check_targets, emit
from shapeviz.errors import InputError, requiring
from shapeviz.page.listing import Column, Listing, listed
from shapeviz.train import PACKAGES

if TYPE_CHECKING:
    from shapeviz.train.comparison import Row

EXAMPLES = (
    "shapeviz tokenizers --text book.txt --steps 0",
    "shapeviz tokenizers --text book.txt --kind char --kind bpe:512",
)
ONLY = ("format", "json", "output", "debug")
KIND = "char, word, word:N, bpe:N or a tokenizer.json. Repeatable. Default: char, word, bpe:512, bpe:2000."
NARROW = ("made in s", "decodes Mchar/s", "encodes Mchar/s", "round trip", "nats/token", "unknown share", "parameters")
STEPS = "Steps of training with each, for the bits per character; 0 for none. Default: 300."


def _option(name: str, kind: Any, metavar: str, text: str, flag: str = "", **settings: Any) -> Parameter:
    option = typer.Option(None, flag or f"--{name}", metavar=metavar, help=text, show_default=False, **settings)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=kind)


PARAMETERS = [
    _option("csv", str | None, "FILE", "A CSV file of text; --column names the column."),
    _option("column", str | None, "NAME", "The column of the CSV that holds the text. Default: text."),
    _option("texts", list[str] | None, "FILE", "A plain text file, - for standard input. Repeatable.", "--text"),
    _option("kinds", list[str] | None, "KIND", KIND, "--kind"),
    _option("steps", int | None, "N", STEPS),
]


def run(request: Request) -> None:
    options = request.extra
    check_targets(request)
    steps = 300 if options["steps"] is None else options["steps"]
    if steps < 0:
        raise InputError(f"--steps {steps} must be at least 0")
    with requiring("tokenizers", *PACKAGES):
        from shapeviz.train import comparison, corpus, recipe
        from shapeviz.train.tokenizers import characters  # noqa: F401

        if steps:
            from shapeviz.train import loop  # noqa: F401
    text = corpus.read(csv=options["csv"], column=options["column"], texts=tuple(options["texts"] or ()))
    for note in text.notes:
        say(f"note: {note}")
    how = recipe.checked("quick", steps=steps, eval_every=steps, eval_tokens=2**19) if steps else None
    rows = comparison.compare(text, tuple(options["kinds"] or comparison.KINDS), how, say)
    title = f"{text.source}: {text.rows:,} rows, {text.characters:,} characters, sha256 {text.sha256[:16]}"
    if text.entropy_bits is not None and how:
        title += f"; no model needs fewer than {text.entropy_bits:.4f} bits per character"
    emit(listed(title, _listing(rows, steps, how.tokens_per_step if how else 0)), request)


def _listing(rows: list[Row], steps: int, tokens: int) -> Listing:
    """The rows, each figure rounded to what it means; without training its columns are left out."""
    columns = [
        Column("tokenizer", "tokenizer"), Column("vocabulary", "vocabulary", number=True),
        Column("unknown", "unknown share", number=True),
        Column("characters_per_token", "characters/token", number=True),
        Column("round_trip", "round trip"), Column("seconds", "made in s", number=True),
        Column("encoding", "encodes Mchar/s", number=True), Column("decoding", "decodes Mchar/s", number=True),
    ]  # fmt: skip
    if steps:
        columns += [
            Column("parameters", "parameters", number=True), Column("loss", "nats/token", number=True),
            Column("bits_per_character", "bits/character", number=True),
        ]  # fmt: skip
    entries = tuple(
        {**{key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in asdict(row).items()},
         "round_trip": "yes" if row.round_trip else "no"}
        for row in rows
    )  # fmt: skip
    title = "On the last tenth of the text"
    if steps:
        title += f", after {steps:,} steps of {tokens:,} tokens; bits/character pay for what unknown tokens hide"
        if any(row.bits_per_character is None for row in rows):
            title += ", and there are none where a tokenizer does not give the text back"
    return Listing("tokenizers", title, tuple(columns), entries, narrow=NARROW)
