"""The validation loss takes every token once, whatever the chunks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import text, tiny

from shapeviz.train import evaluation
from shapeviz.train.evaluation import chunks, evaluate, one_batch
from shapeviz.train.generate import load
from shapeviz.train.log import Log
from shapeviz.train.loop import train


class Bigram(nn.Module):
    """Logits that depend on the last token alone, so that the loss does not depend on the windows."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, 7))

    def forward(self, ids_BT: Tensor) -> Tensor:
        assert not self.training
        return self.table[ids_BT]


@pytest.mark.parametrize("count", [2, 5, 6, 7, 41, 1000])
@pytest.mark.parametrize("chunk", [5, 64, 2**14])
def test_it_is_the_mean_over_all_tokens(count: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "CHUNK", chunk)
    torch.manual_seed(count)
    module, ids = Bigram(), torch.randint(7, (count,))
    expected = F.cross_entropy(module.table[ids[:-1]], ids[1:])
    assert float(expected.detach()) == pytest.approx(evaluate(module, ids, 5), rel=1e-6)
    assert module.training


@pytest.mark.parametrize(("count", "block"), [(1000, 7), (50, 49), (50, 50), (8, 100)])
def test_chunks_hold_every_target_once(count: int, block: int) -> None:
    targets = [place + i + 1 for places, length in chunks(count, block) for place in places for i in range(length)]
    assert list(range(1, count)) == targets


def test_a_large_split_is_sampled_evenly() -> None:
    found = [place for places, _ in chunks(10_001, 10, 1000) for place in places]
    assert list(range(0, 10_000, 100)) == found


def test_evaluations_take_a_sample_and_say_so_and_the_last_one_takes_all(tmp_path: Path) -> None:
    path, said = text(tmp_path), []
    outcome = train(tiny(path, eval_tokens=100, steps=1), tmp_path / "run", say=said.append, report=False)
    module, tokenizer = load(tmp_path / "run", "last")
    ids = torch.tensor(tokenizer.encode(path.read_text()[3600:]).astype(int))

    def by_hand(places: list[int]) -> float:
        pairs = [(ids[p : min(p + 16, 399)], ids[p + 1 : p + 17]) for p in places]
        with torch.no_grad():
            losses = [F.cross_entropy(module(x[None])[0], y, reduction="sum") for x, y in pairs]
        return float(sum(losses)) / sum(len(y) for _, y in pairs)

    # 400 characters to validate on, of which 6 windows of 16 are taken, then 24 and what is left
    assert Log.read(tmp_path / "run")[-1]["val_loss"] == pytest.approx(by_hand([i * 24 // 6 * 16 for i in range(6)]))
    assert outcome.val_loss == pytest.approx(by_hand(list(range(0, 399, 16))))
    assert "the validation split" == outcome.evaluated
    assert any("the validation split (96 of its 399 tokens, evenly spread)" in line for line in said)


def test_a_stop_gives_no_figure() -> None:
    module = Bigram().train()
    assert evaluate(module, torch.randint(7, (100,)), 5, stopped=lambda: True) is None
    assert module.training


def test_one_batch_is_near_the_whole_and_other_each_step() -> None:
    torch.manual_seed(0)
    module, ids = Bigram(), torch.randint(7, (5000,))
    whole = evaluate(module, ids, 8)
    single = [one_batch(module, ids, 1, step, 16, 8) for step in range(40)]
    assert 40 == len(set(single))
    assert whole == pytest.approx(sum(single) / 40, abs=0.05)
