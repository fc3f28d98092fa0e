"""The comparison of tokenizers: bits per character by hand, unknowns paid for, and the verb `tokenizers`."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shapeviz.errors import InputError, SizeError
from shapeviz.train import bits, comparison, corpus, dialogue, tokenizers
from shapeviz.train.recipe import checked

TINY = checked(steps=4, eval_every=4, layers=1, heads=1, d_model=8, block_size=16, batch_size=2, threads=1)


@pytest.fixture(scope="module")
def text() -> corpus.Corpus:
    return corpus.read(characters=20_000, seed=5)


def shapeviz(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "shapeviz", *arguments], capture_output=True, text=True, input=stdin)


def test_without_training_the_columns_are_those_of_the_tokenizers(text: corpus.Corpus) -> None:
    said: list[str] = []
    rows = comparison.compare(text, ["char", "word", "word:50", "bpe:300"], say=said.append)
    assert ["char", "word", "word:50", "bpe:300"] == [row.tokenizer for row in rows]
    assert [len(set(text.text)), 50, 300] == [rows[i].vocabulary for i in (0, 2, 3)]
    assert 4 == len(said)
    assert (1.0, 0.0, True) == (rows[0].characters_per_token, rows[0].unknown, rows[0].round_trip)
    _, val_text = corpus.split(text.text)
    fifty = tokenizers.make("word", corpus.split(text.text)[0], 50)
    ids = fifty.encode(val_text)
    assert len(val_text) / len(ids) == rows[2].characters_per_token
    assert ids.tolist().count(0) / len(ids) == rows[2].unknown > 0.1
    assert rows[1].unknown < rows[2].unknown
    assert not rows[2].round_trip
    assert rows[3].round_trip
    assert all(row.bits_per_character is None and row.encoding > 0 and row.decoding > 0 for row in rows)


def test_bits_per_character_are_the_loss_times_tokens_over_characters(text: corpus.Corpus) -> None:
    char, bpe = comparison.compare(text, ["char", "bpe:300"], TINY, say=lambda _: None)
    # one token a character: loss / ln 2
    assert char.loss / math.log(2) == pytest.approx(char.bits_per_character)
    assert bpe.loss / math.log(2) / bpe.characters_per_token == pytest.approx(bpe.bits_per_character)
    # after 4 steps hardly better than ln V
    assert math.log(bpe.vocabulary) == pytest.approx(bpe.loss, rel=0.05)
    # embedding and head are one table of V rows of 8
    assert (bpe.vocabulary - char.vocabulary) * 8 == bpe.parameters - char.parameters


def test_what_is_unknown_is_spelled() -> None:
    train, validation = "ab ab ab ab c", "ab ba! ab"
    one = tokenizers.make("word", train)
    assert ["ba", "!"] == one.unknown_pieces(validation)
    # the training part has 4 a, 4 b, 1 hidden piece (c); 13 characters + 1 end + 1 = 15
    a = b = math.log2(15 / 4)
    end, new = math.log2(15), math.log2(15) + 21
    found = bits.coding(one, train, validation, one.encode(validation))
    assert (b + a + end) + (new + end) == pytest.approx(len(validation) * found.hidden)
    # of ab, space, ba, !, space, ab two are unknown
    assert (2 / 6, 9 / 6, True) == (found.unknown, found.chars_per_token, found.lossless)
    char = tokenizers.make("char", train + validation)
    assert bits.Coding() == bits.coding(char, train, validation, char.encode(validation))


def test_hiding_everything_is_no_way_to_win(text: corpus.Corpus) -> None:
    two, char = comparison.compare(
        text, ["word:2", "char"], replace(TINY, steps=60, eval_every=60, lr=1e-2), lambda _: None
    )
    assert two.loss < char.loss / 2
    assert two.bits_per_character > char.bits_per_character


@pytest.mark.parametrize(
    ("kind", "error", "match"),
    [("bpe:many", InputError, "a number of tokens"), ("bpe:", InputError, "a number of tokens"),
     ("bpe:12", SizeError, "256 bytes"), ("letters", InputError, "unknown tokenizer 'letters'"),
     ("none.json", InputError, "No such file")],
)  # fmt: skip
def test_a_kind_that_is_none_is_refused(text: corpus.Corpus, kind: str, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        comparison.compare(text, ["char", kind], TINY, say=lambda _: None)


def test_the_verb_compares_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    lines = dialogue.generate(8000, 1).splitlines()
    path.write_text("speaker,line\n" + "".join(f'x,"{line}"\n' for line in lines))
    saved = tmp_path / "t.json"
    tokenizers.make("bpe", "the house and the sea" * 9, 260).save(saved)
    done = shapeviz("tokenizers", "--csv", str(path), "--column", "line", "--steps", "0", "--json",
                    "--kind", "char", "--kind", "bpe:300", "--kind", str(saved))  # fmt: skip
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert ["char", "bpe:300", str(saved)] == [row["tokenizer"] for row in found["tokenizers"]]
    assert f"{sum(bool(line) for line in lines):,} rows" in found["title"]
    assert "missing cells" in done.stderr


def test_the_verb_trains_and_shows_the_floor(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    done = shapeviz("tokenizers", "--kind", "char", "--steps", "1", "-o", str(out))
    assert 0 == done.returncode, done.stderr
    assert f"fewer than {dialogue.entropy_rate():.4f} bits per character" in out.read_text()
    assert "bits/character" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["--csv", "-", "--column", "texd"], "text\nHm.\n", "no column 'texd'; did you mean 'text'?  its columns are"),
        (["--text", "-"], "", "standard input is empty"), (["--steps", "-1"], "", "at least 0"),
        (["--text", "-", "--column", "x"], "a", "none is given"), (["--kind", "bpe:9"], "", "256 bytes"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_and_exit_2(arguments: list[str], stdin: str, words: str) -> None:
    done = shapeviz("tokenizers", *arguments, stdin=stdin)
    assert (2, "") == (done.returncode, done.stdout)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("absent", "steps"), [("numpy", "0"), ("torch", "1"), ("tokenizers", "0")])
def test_a_package_that_is_missing_is_named(absent: str, steps: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("some text\n" * 50)
    program = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        f"sys.argv = ['shapeviz', 'tokenizers', '--text', {str(path)!r}, '--steps', {steps!r}]\n"
        "from shapeviz.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"needs {absent}, which is not installed: pip install " in done.stderr
    assert absent in done.stderr.partition("pip install ")[2].split()
