"""Generated text is shown as it comes, and is the same text."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training import text, tiny

from shapeviz.train import generate, tokenizers
from shapeviz.train.generate import Stream
from shapeviz.train.loop import train

WORDS = "naïve façade 日本語のテキスト, 𝒳 and 🙂🙃 ok.\n" * 30


def streamed(one: object, prompt: list[int], ids: list[int]) -> list[str]:
    shown: list[str] = []
    stream = Stream(one, prompt, shown.append)
    for token in ids:
        stream.add(token)
    stream.close()
    return shown


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
@pytest.mark.parametrize("kept", [0, 3])
def test_pieces_make_the_text_of_all_tokens(kind: str, kept: int) -> None:
    one = tokenizers.make(kind, WORDS, 270 if kind == "bpe" else None)
    ids = one.encode(WORDS).tolist()[:400]
    random.Random(0).shuffle(ids)  # parts of characters in any order
    shown = streamed(one, ids[:kept], ids[kept:])
    assert one.decode(ids) == "".join(shown)
    assert len(shown) > 100


def test_no_part_of_a_character_is_shown() -> None:
    one = tokenizers.make("bpe", "x", 256)
    ids = one.encode("é🙂é").tolist()
    assert ["é", "🙂", "é"] == [piece for piece in streamed(one, [], ids) if piece]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streaming")
    train(tiny(text(folder), steps=1), folder / "run", say=lambda _: None, report=False)
    return folder / "run"


def test_what_is_streamed_is_what_is_returned(run: Path) -> None:
    module, tokenizer = generate.load(run)
    shown: list[str] = []
    [whole] = generate.samples(module, tokenizer, "the ", 50, generate.Sampling(), each=shown.append)
    assert whole == "".join(shown)
    assert "the " == shown[0]
    assert len(shown) > 40


def test_only_the_last_place_has_logits_when_a_prompt_is_read(run: Path) -> None:
    module, _ = generate.load(run)
    ids, seen = torch.zeros(3, 10, dtype=torch.int64), []
    hook = module.head.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[:2])))
    whole = module(ids)
    assert torch.equal(whole[:, -1:], module(ids, last=True))
    generate.continued(module, ids, 2, generate.Sampling(), torch.Generator())
    hook.remove()
    assert [(3, 10), (3, 1), (3, 1), (3, 1)] == seen


def test_a_reader_that_has_gone_ends_it_and_has_seen_what_there_was(run: Path) -> None:
    command = [sys.executable, "-m", "shapeviz", "generate", str(run), "--tokens", "9000000", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert 200 == len(process.stdout.read(200))
        process.stdout.close()
        assert (0, b"") == (process.wait(60), process.stderr.read())
