"""Bits per character are those of a lossless code, wherever they are printed; where text is lost there are none."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from training import text, tiny

from shapeviz.train import bits, comparison, corpus, loop, plot, summary, tokenizers
from shapeviz.train.bits import Coding, coding

tool = pytest.importorskip("tokenizers")
QUIET: Any = {"say": lambda _: None}


def lossy(folder: Path, kind: str) -> Path:
    """A tokenizer.json that loses case, white space, or characters that it does not have."""
    model: Any = tool.models.WordLevel({"<unk>": 0, "the": 1, "cat": 2, "sat": 3, "a": 4, "dog": 5}, unk_token="<unk>")
    if kind != "white space":
        model = tool.models.BPE({c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz,?")} | {" ": 28, "\n": 29}, [])
    one = tool.Tokenizer(model)
    if kind == "case":
        one.normalizer = tool.normalizers.Lowercase()
    if kind == "white space":
        one.pre_tokenizer = tool.pre_tokenizers.Whitespace()
    one.decoder = tool.decoders.Fuse()
    path = folder / f"{kind.replace(' ', '_')}.json"
    path.write_text(one.to_str())
    return path


def found(one: Any, train: str, validation: str) -> Coding:
    return coding(one, train, validation, one.encode(validation))


def test_a_loss_is_bits_of_its_tokens_and_of_what_they_hide() -> None:
    one = Coding(chars_per_token=2.5, hidden=0.25)
    # 3 nats are 3 / ln 2 bits a token, of 2.5 characters
    assert one.bits(3.0) == pytest.approx(3 / math.log(2) / 2.5 + 0.25)
    assert 3.0 == pytest.approx(one.nats(one.bits(3.0)))
    assert Coding(lossless=False).bits(3.0) is None
    assert math.inf == bits.perplexity(1e6)


@pytest.mark.parametrize("kind", ["case", "white space", "characters"])
def test_a_tokenizer_that_does_not_give_the_text_back_has_no_bits(tmp_path: Path, kind: str) -> None:
    one = tokenizers.load(lossy(tmp_path, kind))
    loses = {"case": "the Cat sat", "white space": "the cat sat a bat", "characters": "the cat sat!"}[kind]
    assert not found(one, "the cat", loses).lossless
    assert found(one, "the cat", "thecat" if kind == "white space" else "the cat sat").lossless


def test_words_that_are_hidden_are_put_back_also_where_the_text_says_unk_itself() -> None:
    one = tokenizers.make("word", "a cat, a cat, <unk> <unk>")
    hidden = found(one, "a cat", "a dog: a <unk>")
    assert hidden.lossless
    # a, space, dog, :, space, a, space, <, unk, >
    assert 2 / 10 == hidden.unknown


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of words with unknown ones, and one of a tokenizer that loses case."""
    folder = tmp_path_factory.mktemp("bits")
    path = text(folder, 3000)
    path.write_text(path.read_text() + " Zanzibar is unheard of. " * 3 + "the cat sat")
    made = {}
    for name, kind in (("word", "word"), ("case", str(lossy(folder, "case")))):
        said: list[str] = []
        recipe = tiny(path, tokenizer=kind, steps=2, eval_every=2)
        outcome = loop.train(recipe, folder / name, say=said.append, report=name == "word")
        made[name] = outcome, folder / name, recipe, said
    return made


def test_training_and_the_comparison_of_tokenizers_pay_the_same_for_unknown_words(runs: dict[str, Any]) -> None:
    outcome, folder, recipe, _ = runs["word"]
    read = corpus.read(texts=recipe.texts)
    [row] = comparison.compare(read, ["word"], recipe, **QUIET)
    assert row.bits_per_character == pytest.approx(outcome.bits_per_character)
    # by hand: nats of all tokens, and every hidden character by its frequency
    train, validation = corpus.split(read.text)
    one = tokenizers.load(folder / "tokenizer.json")
    hidden = bits.spelled(one.unknown_pieces(validation), train, len(one.unknown_pieces(train)))
    assert hidden > 40
    by_hand = outcome.val_loss / math.log(2) * len(one.encode(validation)) + hidden
    assert by_hand / len(validation) == pytest.approx(outcome.bits_per_character)
    assert math.exp(outcome.val_loss) == pytest.approx(outcome.perplexity)
    data = json.loads((folder / "data.json").read_text())
    assert row.unknown == data["unknown"] > 0
    shown = f"{outcome.bits_per_character:.4f} bits per character ({data['unknown']:.2g} of the tokens are unknown"
    report = (folder / "report.md").read_text()
    assert shown in report
    assert f"{outcome.bits_per_character:.3f} bits, step 2" in (folder / "loss.svg").read_text()
    assert "entropy, bits/token" in report


def test_a_run_of_a_tokenizer_that_loses_text_says_so_and_shows_no_bits(runs: dict[str, Any]) -> None:
    outcome, folder, _, said = runs["case"]
    assert outcome.bits_per_character is None
    assert f"note: {outcome.note}" in said
    assert "does not give the text back" in outcome.note
    summary.write(folder, coding=Coding(lossless=False), machine={})
    report = (folder / "report.md").read_text()
    assert f"{outcome.perplexity:.5g} (no bits per character: the tokenizer does not give the text back)" in report
    plot.draw(folder, entropy_bits=1.0, coding=Coding(lossless=False))
    assert not re.search("nats =|bits per character", (folder / "loss.svg").read_text())
