"""Statistics of samples against what theory says of temperatures."""

import re
import tracemalloc
from math import log, log2
from pathlib import Path

import pytest
import torch
from training import text, tiny

from shapeviz.errors import SizeError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import corpus, temperature, tokenizers
from shapeviz.train.batches import tokens
from shapeviz.train.evaluation import evaluate
from shapeviz.train.generate import load
from shapeviz.train.loop import train
from shapeviz.train.temperature import Row, statistics, words

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
    found = statistics(module, tokenizer, words([parts[0]]), ids, (0.0, 0.5, 1.0, 2.0, 1e6), samples=500)
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
        statistics(module, None, set(), torch.zeros(9, dtype=torch.uint8))  # type: ignore[arg-type]


def test_words_that_go_over_the_border_of_two_pieces_are_whole() -> None:
    whole = "one two_2, thrée  four\nfïve six"
    for size in range(1, len(whole)):
        assert set(re.findall(r"\w+", whole)) == words(whole[i : i + size] for i in range(0, len(whole), size))
    assert {"x" * 4000} <= words("x" for _ in range(4000)) | {"x" * 4000}


def test_words_of_a_long_text_take_no_more_memory_than_a_piece_of_it() -> None:
    piece = "the cat sat on a mat " * 500
    tracemalloc.start()
    found = words(piece for _ in range(40))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {"the", "cat", "sat", "on", "a", "mat"} == found
    assert most < 4 * len(piece)  # of the 40


def test_logits_are_looked_at_a_few_at_a_time_and_a_long_window_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module = LanguageModel(tiny(Path(), block_size=600).model(7)).eval()
    ids, letters = torch.randint(7, (2000,)), tokenizers.make("char", "abcdefg")
    longest: list[int] = []
    hook = module.register_forward_hook(lambda _, inputs, __: longest.append(inputs[0].numel()))
    whole = statistics(module, letters, set(), ids, (1.0,), samples=4)
    assert 4 * 255 == max(longest)  # twice 128 tokens, but for the last one
    longest.clear()
    monkeypatch.setattr(temperature, "ROOM", 1)
    parts = statistics(module, letters, set(), ids, (1.0,), samples=4)
    hook.remove()
    assert [255] * 8 == [count for count in longest if count > 128 * 4 or count == 255]
    for one, other in zip(whole, parts, strict=True):
        assert (one.surprise, one.entropy) == pytest.approx((other.surprise, other.entropy))
    per_token = statistics(module, letters, set(), ids, (1.0,), samples=4, per_token=True)
    assert whole[0].surprise == pytest.approx(per_token[0].surprise)  # a letter is a token
