"""Corpora: every dialect and encoding of CSV against Python's own writer, and one message for what is no text."""

import csv
import io
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeviz.errors import InputError, MissingToolError, SizeError
from shapeviz.train import corpus, dialogue

ROWS = [("Nora", "Hold this."), ("Otto", 'Ha! "Bread", I said,\nand bread it was.'), ("Pim", "Ça va, señor?")]


def written(rows: list[tuple[str, ...]], header: tuple[str, ...] = ("speaker", "text"), **dialect: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows([header, *rows])
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path):
    def make(content: str | bytes, name: str = "lines.csv", encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return str(path)

    return make


def test_a_column_is_read_as_it_was_written(file) -> None:
    found = corpus.read(csv=file(written(ROWS)), column="text")
    text = "\n".join(line for _, line in ROWS)
    assert text == found.text
    assert (3, len(text), sha256(text.encode()).hexdigest()) == (found.rows, found.characters, found.sha256)
    assert found.entropy_bits is None
    assert "Nora\nOtto\nPim" == corpus.read(csv=file(written(ROWS)), column="speaker").text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_separators_change_nothing(file, encoding: str, delimiter: str) -> None:
    content = written(ROWS, delimiter=delimiter)
    found = corpus.read(csv=file(content, encoding=encoding))
    assert "\n".join(line for _, line in ROWS) == found.text
    told = {"latin-1": "read as latin-1", "utf-16-le": "read as utf-16-le", "utf-16-be": "read as utf-16-be"}
    assert (
        [told[encoding]] == [note.partition(", ")[2] for note in found.notes] if encoding in told else not found.notes
    )


def test_what_windows_writes_is_read_as_it_meant_it(file) -> None:
    found = corpus.read(texts=[file("“Well – no…”\r\nDone.\r\n".encode("cp1252"), "a.txt")])
    assert "“Well – no…”\nDone.\n" == found.text
    assert "cp1252" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Det var en gång en liten flicka som hette Pippi Långstrump.", "latin-1"),
        ("Litwo! Ojczyzno moja! ty jesteś jak zdrowie; Ile cię trzeba cenić, ten tylko się dowie.", "iso8859-2"),
        ("Всё смешалось в доме Облонских.", "koi8-r"), ("Τη γλώσσα μου έδωσαν ελληνική.", "cp1253"),
        ("吾輩は猫である。名前はまだ無い。", "shift_jis"), ("名可名，非常名。\n无名天地之始。", "utf-16-le"),
    ],
)  # fmt: skip
def test_what_other_programs_wrote_is_recognised_among_lines_of_ascii(file, text: str, encoding: str) -> None:
    plain = "A line of ASCII.\n" * 1000
    found = corpus.read(texts=[file(plain + text, "a.txt", encoding=encoding)])
    assert plain + text == found.text
    assert "read as" in found.notes[0]


def test_chardet_is_wanted_only_where_a_text_is_not_utf_8(file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chardet", None)
    assert "señor" == corpus.read(texts=[file("señor", "a.txt")]).text
    with pytest.raises(
        MissingToolError, match=r"b.txt: a text that is not UTF-8 needs chardet, .* pip install chardet"
    ):
        corpus.read(texts=[file("señor", "b.txt", "latin-1")])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")), min_size=1))
def test_any_text_comes_back_from_a_csv(cells: list[str]) -> None:
    content = written([(str(i), cell) for i, cell in enumerate(cells)])
    kept = [cell for cell in cells if cell.strip() not in corpus.MISSING]
    if not kept:
        return
    reader = corpus._from_csv
    found = reader_of(content, reader)
    assert "\n".join(kept) == found.text
    assert len(cells) - len(kept) == found.missing


def reader_of(content: str, read):
    """Reads from what stands for a file, so that hypothesis needs no folder."""
    before = corpus._bytes
    corpus._bytes = lambda path: (str(path), content.encode())
    try:
        return read("any.csv", "text")
    finally:
        corpus._bytes = before


def test_missing_cells_are_counted_told_and_left_out(file) -> None:
    content = "speaker,text\nNora,Hm.\nOtto,\nPim,NA\nInes\n\nVale,   \nNora,Right.\n"
    found = corpus.read(csv=file(content))
    assert "Hm.\nRight." == found.text
    assert (2, 4) == (found.rows, found.missing)
    assert "4 missing cells of column 'text' are left out" in found.notes[0]


def test_a_cell_may_be_longer_than_the_module_of_python_allows(file) -> None:
    csv.field_size_limit(131_072)
    found = corpus.read(csv=file(written([("x", "a" * 200_000)])))
    assert 200_000 == found.characters
    assert 131_072 == csv.field_size_limit()


@pytest.mark.parametrize(
    ("content", "column", "parts"),
    [
        (written(ROWS), "txt", ["no column 'txt'", "did you mean 'text'?", "its columns are 'speaker', 'text'"]),
        (written(ROWS), "7", ["no column '7'; its columns are 'speaker', 'text'"]),
        (written(ROWS, ("who", "line")), None, ["--column NAME", "'who', 'line'"]),
        (written(ROWS, ("text", "text")), None, ["2 columns are named 'text'"]),
        ("speaker,text\nNora,one, two\n", None, ["line 2", "3 cells", "2 columns", "quotes"]),
        ('speaker,text\nNora,"one\ntwo\n', None, ["line 2", "never closed"]),
        ("speaker,text\nNora,\n", None, ["column 'text' has no text (1 missing cells)"]),
        ("speaker,text\n", None, ["no text"]),
        ("", None, ["is empty"]),
        ("\n \n", None, ["is empty"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", None, ["binary", "zero byte at 8"]),
        (bytes(range(1, 32)) * 9, None, ["binary", "control characters"]),
        (b"\xff\xfea\x00\x00\xd8b\x00", None, ["damaged utf-16-le"]),
    ],
)
def test_a_bad_csv_has_one_message(file, content: str | bytes, column: str | None, parts: list[str]) -> None:
    path = file(content)
    with pytest.raises(InputError) as error:
        corpus.read(csv=path, column=column)
    assert path in str(error.value)
    assert [] == [part for part in parts if part not in str(error.value)]


def test_text_files_follow_each_other_each_on_its_own_line(file) -> None:
    names = [file("one", "1.txt"), file("two\r\nthree\n", "2.txt"), file("four\rfive", "3.txt")]
    found = corpus.read(texts=names)
    assert "one\ntwo\nthree\nfour\nfive" == found.text
    assert 5 == found.rows
    assert "3 files" in found.source


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"texts": ["nowhere.txt"]}, "cannot read nowhere.txt: No such file"), ({"csv": "."}, "a directory"),
        ({"csv": "a.csv", "texts": ["b.txt"]}, "contradict"), ({"column": "text"}, "none is given"),
        ({"texts": ["-", "-"]}, "read once"), ({"csv": "a\0b"}, "cannot read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_has_one_message(arguments: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        corpus.read(**arguments)


def test_an_empty_text_is_refused(file) -> None:
    with pytest.raises(InputError, match="is empty"):
        corpus.read(texts=[file(" \n", "a.txt")])


@pytest.mark.parametrize("kind", ["csv", "texts"])
def test_standard_input_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\nHm.\n")))
    found = corpus.read(csv="-") if kind == "csv" else corpus.read(texts=["-"])
    assert ("Hm." if kind == "csv" else "text\nHm.\n") == found.text
    assert found.source.startswith("standard input")


def test_without_anything_it_is_the_dialogue_with_its_entropy() -> None:
    found = corpus.read(characters=20_000, seed=3)
    assert dialogue.generate(20_000, 3) == found.text
    assert dialogue.entropy_rate() == found.entropy_bits
    assert found.text.count("\n\n") == found.rows
    assert found.source == "bundled dialogue, seed 3"


def test_the_split_is_the_first_nine_tenths_and_the_rest() -> None:
    text = "".join(map(chr, range(1000, 2115)))
    train, validation = corpus.split(text)
    assert text == train + validation
    # as nanoGPT: int(0.9 · 1115) = 1003
    assert 1003 == len(train)
    assert ("abc", "d") == corpus.split("abcd", 0.25)


def test_a_split_with_nothing_in_a_part_is_refused() -> None:
    with pytest.raises(SizeError, match="has 5 characters, which leaves 1 to validate on: at least 2"):
        corpus.split("abcde", least=2)
    with pytest.raises(SizeError, match="leaves 0 to train on"):
        corpus.split("a")
    with pytest.raises(SizeError, match="between 0 and 1"):
        corpus.split("abc", 1.0)


def test_a_folder_is_its_texts_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, words in (("c.txt", "third"), ("a.txt", "first\n"), ("b/x.txt", "second"), ("z.md", "no text")):
        (tmp_path / name).write_text(words)
    assert "first\nsecond\nthird" == corpus.read(texts=[tmp_path]).text
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match=r"no file in it ends in \.txt"):
        corpus.read(texts=[tmp_path / "d"])


@pytest.mark.parametrize(("header", "told"), [("Hello there", True), ("text", False), ("Utterance", False)])
def test_a_first_line_that_is_taken_for_names_is_told(tmp_path: Path, header: str, told: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\nGeneral Kenobi\nYou are bold\n")
    notes = corpus.read(csv=path).notes
    assert told == any("first line is read as names of columns: 'Hello there'" in note for note in notes)
    assert () == corpus.read(csv=path, column=header).notes
