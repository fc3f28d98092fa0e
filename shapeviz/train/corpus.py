"""The text of a run: a column of a CSV, text files, standard input, or the bundled dialogue; and how it is split."""

from __future__ import annotations

import csv as csv_files
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.files import reason
from shapeviz.train import dialogue
from shapeviz.train.encodings import decoded

NAMES = ("text", "content", "line", "lines", "utterance", "dialogue", "sentence", "body", "message")
"""What a column of text is usually called: that its name is a name needs no saying."""
MISSING = ("", "NA")  # NA is how R writes a missing cell


@dataclass(frozen=True)
class Corpus:
    """A text and where it is from.

    `rows` are cells of a CSV, lines of text files or scenes of the dialogue; `missing` cells are left out. `sha256` is
    that of the text in UTF-8, `notes` are what the reader had to decide, and `entropy_bits` is the least number of bits
    per character with which the text can be predicted, None where nobody knows it.
    """

    text: str
    source: str
    rows: int
    characters: int
    sha256: str
    entropy_bits: float | None = None
    missing: int = 0
    notes: tuple[str, ...] = ()


def read(
    csv: str | Path | None = None,
    column: str | None = None,
    texts: Sequence[str | Path] = (),
    characters: int = dialogue.CHARACTERS,
    seed: int = dialogue.SEED,
) -> Corpus:
    """One column of a CSV, or text files one after another, or, if neither is given, the bundled dialogue.

    `-` is standard input. Cells are joined by line feeds, in the order of the rows; line ends become line feeds.
    `column` may be left out if the CSV has a column `text` or only one. Raises InputError for what cannot be read, is
    no text, is no CSV, has no such column, or is empty.
    """
    if csv is not None and texts:
        raise InputError(f"a CSV ({csv}) and text files ({texts[0]}) contradict each other: give one of them")
    if column is not None and csv is None:
        raise InputError(f"column {column!r} is one of a CSV, and none is given")
    if csv is not None:
        return _from_csv(csv, column)
    if texts:
        return _from_texts(texts)
    text = dialogue.generate(characters, seed)
    source = f"bundled dialogue, seed {seed}"
    return _corpus(text, source, text.count("\n\n"), entropy_bits=dialogue.entropy_rate())


def split(text: str, fraction: float = 0.1, least: int = 1) -> tuple[str, str]:
    """The text to train on and its last part, a fraction of it, to validate on; the same for the same text.

    Raises SizeError if either has fewer than `least` characters.
    """
    if not 0 < fraction < 1:
        raise SizeError(f"the validation part must be between 0 and 1 of the text, not {fraction}")
    place = int(len(text) * (1 - fraction))
    train, validation = text[:place], text[place:]
    for name, part in (("train on", train), ("validate on", validation)):
        if len(part) < least:
            raise SizeError(
                f"the corpus has {len(text):,} characters, which leaves {len(part):,} to {name}: "
                f"at least {least:,} are needed"
            )
    return train, validation


def _corpus(
    text: str,
    source: str,
    rows: int,
    entropy_bits: float | None = None,
    missing: int = 0,
    notes: Iterable[str] = (),
) -> Corpus:
    if not text.strip():
        raise InputError(f"{source} is empty: there is nothing to train on")
    digest = sha256(text.encode()).hexdigest()
    return Corpus(text, source, rows, len(text), digest, entropy_bits, missing, tuple(notes))


def _bytes(path: str | Path) -> tuple[str, bytes]:
    """The name and content of a file, of standard input for `-`. Raises InputError if it cannot be read."""
    if str(path) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("- is standard input, and nothing is piped into it: cat FILE | shapeviz …")
        return "standard input", sys.stdin.buffer.read()
    try:
        if not str(path):
            raise InputError("a file name is expected, not ''")
        if Path(path).is_char_device() or Path(path).is_block_device():
            raise InputError(f"cannot read {path}: it is a device")
        return str(path), Path(path).read_bytes()
    except IsADirectoryError:
        raise InputError(f"cannot read {path}: it is a directory; name the files in it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None


def _from_texts(paths: Sequence[str | Path]) -> Corpus:
    """Text files, each beginning on a line of its own; of a folder all whose names end in .txt, in their order."""
    paths = [file for path in paths for file in _files(path)]
    if sum(str(path) == "-" for path in paths) > 1:
        raise InputError("standard input can be read once: give - one time")
    parts: list[str] = []
    notes: list[str] = []
    for path in paths:
        name, content = _bytes(path)
        text, note = decoded(content, name)
        notes += [note] if note else []
        text = _lines(text)
        if parts and not parts[-1].endswith("\n"):
            parts.append("\n")
        parts.append(text)
    text = "".join(parts)
    names = ["standard input" if str(path) == "-" else str(path) for path in paths]
    source = names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} … {names[-1]}"
    return _corpus(text, source, len(text.splitlines()), notes=notes)


def _files(path: str | Path) -> Sequence[str | Path]:
    """A file, or those of a folder and the folders in it. Raises InputError for a folder without any."""
    folder = Path(path)
    if str(path) in ("", "-") or not folder.is_dir():
        return [path]
    inside = sorted(file for file in folder.rglob("*.txt") if file.is_file())
    if not inside:
        raise InputError(f"{path} is a directory, and no file in it ends in .txt: name the files in it")
    return inside


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _from_csv(path: str | Path, column: str | None) -> Corpus:
    """The cells of one column; those that are missing are counted and left out."""
    name, content = _bytes(path)
    text, note = decoded(content, name)
    if not text.strip():
        raise InputError(f"{name} is empty: a CSV with a line of column names is expected")
    separator = _separator(text)
    with _any_length():
        rows = _rows(text, separator, name)
        _, header = next(rows)
        place = _column(header, column, name)
        cells: list[str] = []
        missing = 0
        for line, row in rows:
            if len(row) > len(header):
                raise InputError(
                    f"{name}, line {line}: {len(row)} cells, and the header has {len(header)} columns: "
                    f"a cell with {separator!r} in it needs quotes around it"
                )
            cell = _lines(row[place]) if place < len(row) else ""
            if cell.strip() in MISSING:
                missing += 1
            else:
                cells.append(cell)
    if not cells:
        raise InputError(f"{name}: column {header[place]!r} has no text ({missing:,} missing cells)")
    notes = [note] if note else []
    if column is None and header[place].strip().lower() not in NAMES:
        notes.append(f"{name}: its first line is read as names of columns: {header[place]!r} is no text")
    if missing:
        notes.append(f"{name}: {missing:,} missing cells of column {header[place]!r} are left out")
    source = f"{name}, column {header[place]!r}"
    return _corpus("\n".join(cells), source, len(cells), missing=missing, notes=notes)


def _separator(text: str) -> str:
    """What separates cells: of comma, semicolon, tab and bar the commonest of the header, quoted names apart."""
    header = "".join(text.lstrip().partition("\n")[0].split('"')[::2])
    return max(",;\t|", key=header.count)


def _rows(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the number of the line where it begins. Raises InputError for no CSV."""
    reader = csv_files.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv_files.Error as error:
        words = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        raise InputError(f"{name}, line {line}: not a row of a CSV: {words}") from None


@contextmanager
def _any_length() -> Iterator[None]:
    """Cells may be as long as they are; the module's own limit is 131,072 characters."""
    before = csv_files.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv_files.field_size_limit(before)


def _column(header: list[str], column: str | None, name: str) -> int:
    """Where the column is: the one named, else `text`, else the only one. Raises InputError with those there are."""
    names = [cell.strip() for cell in header]
    columns = f"its columns are {', '.join(map(repr, names))}"
    if column is None:
        if len(names) == 1:
            return 0
        if "text" not in names:
            raise InputError(f"{name}: which column is the text? Give --column NAME; {columns}")
        column = "text"
    if names.count(column) > 1:
        raise InputError(f"{name}: {names.count(column)} columns are named {column!r}; {columns}")
    if column in names:
        return names.index(column)
    if column in header:
        return header.index(column)
    hint = nearest(column, names).partition("  (")[0]
    raise InputError(f"{name} has no column {column!r}; {hint + '  ' if hint.startswith('did') else ''}{columns}")
