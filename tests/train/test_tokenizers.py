"""Tokenizers against Hugging Face's library and Python's own dictionaries; all text back; nothing unknown unnamed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tokenizers as library
from hypothesis import example, given
from hypothesis import strategies as st

from shapeviz.errors import InputError, SizeError
from shapeviz.train import dialogue, tokenizers
from shapeviz.train.tokenizers import _library
from shapeviz.train.tokenizers._library import pieces
from shapeviz.train.tokenizers.characters import CHUNK

ANY = st.text(st.characters(exclude_categories=["Cs"]))
KINDS = ["char", "word", "bpe"]


@pytest.fixture(scope="module")
def text() -> str:
    return dialogue.generate(60_000, seed=2)


@given(ANY.filter(bool))
def test_characters_are_what_a_dictionary_says(text: str) -> None:
    one = tokenizers.make("char", text)
    numbers = {character: i for i, character in enumerate(sorted(set(text)))}
    ids = one.encode(text)
    assert [numbers[character] for character in text] == ids.tolist()
    assert text == one.decode(ids) == one.decode(ids.tolist()) == one.decode(ids.astype(np.int64))
    assert len(numbers) == one.vocab_size


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(1, "uint8"), (255, "uint8"), (256, "uint8"), (257, "uint16"), (2**16, "uint16"), (70_000, "uint32")],
)
def test_ids_are_of_the_smallest_dtype_and_unknowns_are_found_at_every_size(count: int, dtype: str) -> None:
    alphabet = "".join(chr(i) for i in range(32, 32 + count + 2048) if not 0xD800 <= i < 0xE000)[:count]
    one = tokenizers.make("char", alphabet)
    text = alphabet * (1 + 2 * CHUNK // count)
    ids = one.encode(text)
    assert dtype == ids.dtype
    assert text == one.decode(ids)
    for unknown in ("\n", chr(0x1F600), chr(ord(alphabet[-1]) + 1)):
        with pytest.raises(InputError, match=f"U\\+{ord(unknown):04X}"):
            one.encode(alphabet[:3] + unknown)


def test_unknown_characters_are_named_and_the_known_ones_shown() -> None:
    one = tokenizers.make("char", "abc \n")
    with pytest.raises(InputError) as error:
        one.encode("a bcé bz☃")
    assert "does not know 'é' (U+00E9), 'z' (U+007A), '☃' (U+2603); its 5 characters:  abc" in str(error.value)
    with pytest.raises(InputError, match="and 14 more"):
        one.encode("defghijklmnopqrstuvwxyz!")


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_is_the_same_when_loaded_and_in_the_library(kind: str, text: str, tmp_path: Path) -> None:
    one = tokenizers.make(kind, text)
    path = tmp_path / "tokenizer.json"
    one.save(path)
    other = tokenizers.load(path)
    ids = one.encode(text)
    assert (kind, one.vocab_size, one.unknown) == (other.kind, other.vocab_size, other.unknown)
    assert ids.tolist() == other.encode(text).tolist()
    assert one.decode(ids) == other.decode(ids)
    theirs = library.Tokenizer.from_file(str(path))
    assert ids.tolist() == theirs.encode(text).ids
    assert one.decode(ids) == theirs.decode(ids.tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_gives_the_same_file_in_another_process(kind: str, text: str, tmp_path: Path) -> None:
    paths = tmp_path / "one.json", tmp_path / "other.json"
    tokenizers.make(kind, text, 400 if kind == "bpe" else None).save(paths[0])
    program = (
        "import sys; from pathlib import Path; from shapeviz.train import dialogue, tokenizers\n"
        f"tokenizers.make({kind!r}, dialogue.generate(60_000, seed=2), {400 if kind == 'bpe' else None})"
        f".save(Path({str(paths[1])!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@given(ANY)
def test_bytes_give_back_every_text(text: str) -> None:
    one = tokenizers.make("bpe", "some text, of which some is merged", 300)
    assert text == one.decode(one.encode(text))


def test_bpe_merges_what_is_common(text: str) -> None:
    one = tokenizers.make("bpe", text, 500)
    ids = one.encode(text)
    assert 500 == one.vocab_size
    assert "uint16" == ids.dtype
    assert 2 < len(text) / len(ids) < 4
    assert one.unknown is None
    assert " the" == one.decode([one.tokenizer.token_to_id("Ġthe")])


def test_words_keep_the_text_but_what_is_rare() -> None:
    one = tokenizers.make("word", "the cat, the dog; the cat's hat\n\nand  don't, don't")
    assert "the <unk>,  the\n\ndon't" == one.decode(one.encode("the cat,  the\n\ndon't"))
    assert ["cat"] == one.unknown_pieces("the cat,  the\n\ndon't")
    assert 0 == one.unknown
    # <unk> and what occurs twice: the, space, comma, line feed, don't
    assert 6 == one.vocab_size


def test_a_vocabulary_of_words_is_the_commonest_ones() -> None:
    one = tokenizers.make("word", "a a a b b c a c c c d", 4)
    assert ["<unk>", " ", "a", "c"] == [one.decode([i]) for i in range(4)]
    assert "a <unk> c" == one.decode(one.encode("a b c"))


@example("ab \n \n \n b")
@given(st.text(st.sampled_from("ab \n\t'sé1_.漢\x1c\x85\u00a0"), max_size=60))
@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_cutting_a_text_into_pieces_changes_no_token(kind: str, text: str) -> None:
    one = tokenizers.make(kind, "a b  é 's ab ab a's.. 11 1 漢漢 \n \n a\n b" * 9, 300)
    whole = one.tokenizer.encode(text).ids
    for size in (1, 3):
        parts = list(pieces(text, size))
        assert text == "".join(parts)
        assert whole == [i for part in parts for i in one.tokenizer.encode(part).ids]


def test_long_texts_are_cut_and_unknown_pieces_found_in_each(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tokenizers.make("word", text)
    whole, hidden = one.encode(text + "xyzzy").tolist(), one.unknown_pieces(text + " xyzzy")
    monkeypatch.setattr(_library, "pieces", lambda text: pieces(text, 1000))
    assert whole == one.encode(text + "xyzzy").tolist()
    assert hidden == one.unknown_pieces(text + " xyzzy")
    assert "xyzzy" == hidden[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ids", [[-1], [10_000_000], [0, 10**7], [[0]], [0.5]])
def test_an_id_that_is_none_is_refused(kind: str, ids: list, text: str) -> None:
    with pytest.raises(InputError, match=r"is no token|ids are a list"):
        tokenizers.make(kind, text).decode(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_nothing(kind: str, text: str) -> None:
    one = tokenizers.make(kind, text)
    assert "" == one.decode(one.encode("")) == one.decode([])


def test_a_tokenizer_of_another_program_is_used_as_it_is(tmp_path: Path) -> None:
    theirs = library.Tokenizer(library.models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    theirs.normalizer = library.normalizers.Lowercase()
    theirs.pre_tokenizer = library.pre_tokenizers.Whitespace()
    theirs.add_special_tokens(["[END]"])
    theirs.enable_truncation(2)
    theirs.post_processor = library.processors.TemplateProcessing("$0 [END]", special_tokens=[("[END]", 3)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    one = tokenizers.load(tmp_path / "tokenizer.json")
    assert ("wordpiece", 4, 0) == (one.kind, one.vocab_size, one.unknown)
    assert [1, 2, 0, 1] == one.encode("AB x a").tolist()
    assert ["x"] == one.unknown_pieces("AB x a")


@pytest.mark.parametrize(
    ("content", "match"),
    [("", "no tokenizer.json"), ("{}", 'no "model"'), ("[1]", 'no "model"'), ('{"model": {}}', "no tokenizer.json"),
     ("\0", "no tokenizer.json"), ("[" * 100_000, "no tokenizer.json"),
     (json.dumps({"model": {"type": "WordLevel", "vocab": {}, "unk_token": "x"}}), "tokenizer.json|empty")],
)  # fmt: skip
def test_a_file_that_is_no_tokenizer_has_one_message(content: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(InputError, match=match) as error:
        tokenizers.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "text", "size", "error", "match"),
    [
        ("chars", "a", None, InputError, "did you mean 'char'"), ("char", "", None, InputError, "empty text"),
        ("char", "abc", 2, SizeError, "3 different characters"), ("bpe", "a", 255, SizeError, "256 bytes"),
        ("word", "a", 1, SizeError, "no room"), ("word", "a", 0, SizeError, "at least 1"),
    ],
)  # fmt: skip
def test_an_impossible_tokenizer_is_refused(kind: str, text: str, size: int, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        tokenizers.make(kind, text, size)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        tokenizers.load(tmp_path / "none.json")


def test_characters_need_no_library(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shapeviz.train import tokenizers\n"
        f"path = Path({str(tmp_path / 't.json')!r}); tokenizers.make('char', 'abc').save(path); tokenizers.load(path)\n"
        "assert 'tokenizers' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
