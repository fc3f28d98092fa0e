"""What does not fit the memory is refused before it begins, with a batch that fits; what runs out of it says so."""

from pathlib import Path
from typing import Any

import pytest
import torch
from training import text, tiny

from shapeviz.errors import SizeError
from shapeviz.train import fit, hardware, loop, prediction, session
from shapeviz.train.distributed import World
from shapeviz.train.evaluation import chunks, evaluate, together
from shapeviz.train.expected import expected
from shapeviz.train.prediction import PEAK


def chosen(kernel: str = "bmm", dtype: torch.dtype = torch.float32) -> hardware.Hardware:
    return hardware.Hardware(torch.device("cpu"), dtype, kernel, 1)


def test_a_step_that_the_machine_has_no_memory_for_is_refused_with_the_batch_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = text(tmp_path)
    s = session.begin(tiny(path, batch_size=40), tmp_path, World(), None, lambda _: None)
    costs = {row.what: row for row in prediction.predicted(s)}[PEAK].expected
    # one batch row costs the same each: at memory for 30 of 40 rows, and a byte less
    monkeypatch.setattr(hardware, "memory", lambda _: costs.at(B=30))
    with pytest.raises(SizeError, match=r"--batch-size 30 is the largest that may$"):
        loop.train(tiny(path, batch_size=40), tmp_path / "run", say=lambda _: None)
    assert not (tmp_path / "run").exists()
    vocab_size = s.data.tokenizer.vocab_size
    assert "if the system ends the run" in fit.check(tiny(path, batch_size=30), vocab_size, World(), chosen())
    assert "" == fit.check(tiny(path, batch_size=10), vocab_size, World(), chosen())
    monkeypatch.setattr(hardware, "memory", lambda _: costs.at(B=30) - 1)
    with pytest.raises(SizeError, match=r"--batch-size 29 is the largest that may$"):
        fit.check(tiny(path, batch_size=30), vocab_size, World(), chosen())
    monkeypatch.setattr(hardware, "memory", lambda _: 1000)
    with pytest.raises(SizeError, match=r"--batch-size fit$"):  # not even one row
        loop.train(tiny(path), tmp_path / "run", say=lambda _: None)


@pytest.mark.parametrize(
    ("options", "dtype"),
    [({"block_size": 300}, torch.bfloat16), ({"gated": True, "ff": 64, "d_model": 32, "layers": 3}, torch.float32),
     ({"block_size": 200, "dropout": 0.1, "norm": "rms"}, torch.float32)],
)  # fmt: skip
def test_what_may_not_fit_is_looked_at_exactly(tmp_path: Path, options: dict[str, Any], dtype: torch.dtype) -> None:
    recipe = tiny(tmp_path, **options)
    costs = expected(recipe, 50, recipe.batch_size, dtype=dtype)
    exact = fit.peak(recipe, 50, chosen(dtype=dtype), recipe.batch_size, costs)
    assert exact is not None
    assert fit.estimate(recipe, costs, chosen(dtype=dtype)) > exact.value / fit.NEAR


def test_what_pytorch_says_without_memory_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: Any) -> None:
        torch.empty(2**55, dtype=torch.uint8)

    monkeypatch.setattr(loop, "update", greedy)
    with pytest.raises(SizeError, match=r"memory is at its end in a step.*36028797018963968 bytes.*--batch-size"):
        loop.train(tiny(text(tmp_path)), tmp_path / "run", say=lambda _: None, report=False)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")]
)
def test_so_it_is_for_python_and_gpus(error: Exception) -> None:
    with pytest.raises(SizeError, match=r"^the memory is at its end here"), hardware.enough_memory("here", "less"):
        raise error


def test_other_mistakes_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"), hardware.enough_memory("here", "less"):
        raise RuntimeError("shapes differ")


def test_the_memory_is_what_this_process_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, unlimited = tmp_path / "memory.max", tmp_path / "max"
    limit.write_text("123456789\n")
    unlimited.write_text("max\n")
    before = hardware.memory(torch.device("cpu"))
    assert before is not None
    monkeypatch.setattr(hardware, "CONTAINER", (str(unlimited), str(limit), str(tmp_path / "none")))
    assert 123456789 == hardware.memory(torch.device("cpu"))
    monkeypatch.setattr(hardware, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:   1000 kB\nSwapFree: 24 kB\n")
    assert 1024 * 1024 == hardware.memory(torch.device("cpu"))
    assert hardware.memory(torch.device("meta")) is None


def test_an_evaluation_has_few_logits_at_once_however_large_the_vocabulary() -> None:
    seen: list[int] = []

    class Table(torch.nn.Module):
        def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
            seen.append(ids_BT.numel())
            return torch.zeros(*ids_BT.shape, 3)

    evaluate(Table(), torch.zeros(5000, dtype=torch.uint8), 16, at_once=together(2**17))
    assert 128 == max(seen)
    assert 4999 == sum(seen)
    # one window at least, as a step has
    assert [([0], 600), ([600], 400)] == chunks(1001, 600, at_once=128)
