"""Statistics of samples against what theory says of temperatures."""

from math import log, log2
from pathlib import Path

import pytest
import torch
from training import text, tiny

from shapeviz.errors import SizeError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import corpus
from shapeviz.train.batches import tokens
from shapeviz.train.evaluation import evaluate
from shapeviz.train.generate import load
from shapeviz.train.loop import train
from shapeviz.train.temperature import Row, statistics

VOCABULARY = 20


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    """Of a small model, that has learnt something."""
    folder = tmp_path_factory.mktemp("temperature")
    path = text(folder, 20_000)
    train(tiny(path, steps=300, eval_every=300, lr=1e-2), folder / "run", say=lambda _: None, report=False)
    module, tokenizer = load(folder / "run")
    assert VOCABULARY == tokenizer.vocab_size
    parts = corpus.split(path.read_text())
    ids = tokens(tokenizer.encode(parts[1]))
    found = statistics(module, tokenizer, parts[0], ids, (0.0, 0.5, 1.0, 2.0, 1e6), samples=500)
    # the text itself: what is lost on the second halves of windows is near the loss on all of it, in bits
    assert found[-1].surprise == pytest.approx(evaluate(module, ids, module.block_size) / log(2), rel=0.25)
    return found


def test_entropy_grows_with_the_temperature_up_to_that_of_no_knowledge(rows: tuple[Row, ...]) -> None:
    entropies = [row.entropy for row in rows[:-1]]
    assert 0 == entropies[0]
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(log2(VOCABULARY), rel=1e-3)


def test_at_temperature_1_the_model_is_as_surprised_as_it_is_uncertain(rows: tuple[Row, ...]) -> None:
    """E[-log p(x)] = H(p) for x from p: an identity, so that only chance keeps the two apart."""
    one = rows[2]
    assert one.temperature == 1
    assert one.surprise == pytest.approx(one.entropy, rel=0.05)
    assert rows[1].surprise < one.surprise < rows[3].surprise


def test_sharper_text_has_more_known_words_and_fewer_different_ones(rows: tuple[Row, ...]) -> None:
    assert rows[1].known > rows[2].known > rows[3].known > rows[4].known
    assert rows[1].distinct < rows[2].distinct < rows[3].distinct
    assert 1 == rows[-1].known  # the validation text has no other words
    assert rows[-1].entropy is None


def test_a_text_without_a_window_is_refused(tmp_path: Path) -> None:
    module = LanguageModel(tiny(tmp_path).model(7))
    with pytest.raises(SizeError, match="a window of 16 tokens"):
        statistics(module, None, "", torch.zeros(9, dtype=torch.uint8))  # type: ignore[arg-type]
