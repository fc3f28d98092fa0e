"""A trace changes what belongs to the whole process: two at once wait for each other, and all is given back."""

from __future__ import annotations

import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import InputError  # noqa: E402


class Counting(nn.Module):
    """A forward that notes how many threads are in one, and gives the others time to come in as well."""

    inside = 0
    most = 0
    lock = threading.Lock()

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        with Counting.lock:
            Counting.inside += 1
            Counting.most = max(Counting.most, Counting.inside)
        time.sleep(0.05)
        y: Tensor = self.linear(x)
        with Counting.lock:
            Counting.inside -= 1
        return y


def borrowed() -> tuple[object, ...]:
    """What a trace lends from the process."""
    from torch.nn.modules import transformer

    functions = (F.scaled_dot_product_attention, F.dropout, transformer._detect_is_causal_mask)
    return (*functions, gc.isenabled(), sys.getrecursionlimit(), torch.get_default_dtype(), torch.get_rng_state().sum())


def flops(width: int) -> str:
    """The formula of a module of this width; the same module for all that ask for it."""
    report = shapeviz.measure(shapeviz.trace(MODULES[width], f"float32[B,{width}]"))
    return str(report.total["flops"])


MODULES = {width: Counting(width) for width in (5, 7, 11)}


def test_threads_that_trace_at_once_wait_for_each_other_and_give_everything_back() -> None:
    Counting.most, before = 0, borrowed()
    with ThreadPoolExecutor(4) as pool:
        formulas = list(pool.map(flops, [5, 7, 5, 11]))
    # 2·B·width·3
    assert ["30·B", "42·B", "30·B", "66·B"] == formulas
    assert 1 == Counting.most
    assert before == borrowed()
    assert all("forward" not in vars(module) for module in MODULES.values())


def test_a_module_may_trace_another_one_while_it_is_traced() -> None:
    formulas = []

    class Outer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            formulas.append(flops(5))
            return x + 1

    shapeviz.trace(Outer(), "float32[B,4]")
    assert ["30·B"] == formulas


class Threaded(nn.Module):
    """A layer that is called in a thread of its own, by a thread or by a pool."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.pooled, self.layer = pooled, nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        results: list[Tensor] = []
        if self.pooled:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(torch.matmul, x, x.mT).result()
        thread = threading.Thread(target=lambda: results.append(self.layer(x)))
        thread.start()
        thread.join()
        return results[0]


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_computed_in_a_thread_of_its_own_is_refused(pooled: bool) -> None:
    with pytest.raises(InputError, match="computes in a thread of its own"):
        shapeviz.trace(Threaded(pooled), "float32[B,S,8]")
