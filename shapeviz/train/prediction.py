"""Prediction against measurement: what the formulas say of a run before its first step, and what is then counted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from shapeviz import files
from shapeviz.errors import ShapevizError
from shapeviz.expr import notation, total
from shapeviz.nets.language_model import LanguageModel
from shapeviz.quantity import Quantity
from shapeviz.train import saved
from shapeviz.train.batches import batch
from shapeviz.train.evaluation import loss_of
from shapeviz.train.expected import FP32, Expected, b_g, b_o, b_w, expected, params, part

if TYPE_CHECKING:
    from shapeviz.train.session import Session

PARAMETERS, FLOPS, WEIGHTS, GRADIENTS = "parameters", "FLOPs a step", "bytes of weights", "bytes of gradients"
STATES, SAVED, PEAK, RATE = "bytes of optimizer states", "bytes saved for backward", "peak memory in bytes", "FLOP/s"
EXACT = (PARAMETERS, FLOPS, WEIGHTS, GRADIENTS, STATES, SAVED)
"""What is predicted exactly; the rest is explained."""
Peak = tuple[int | None, str]


@dataclass(frozen=True)
class Row:
    """A figure: what is expected of it, what was measured (None: not yet), and a note.

    expected: the formula with the run's sizes; None if there is none, and the note says why. reference: what a rate is
    compared with, measured as well.
    """

    what: str
    expected: Quantity | None
    measured: int | None
    note: str
    reference: int | None = None

    @property
    def predicted(self) -> int | None:
        """The value of the formula, or else what the figure is compared with."""
        return int(self.expected.value) if self.expected else self.reference

    @property
    def formula(self) -> str:
        """The formula over the sizes of the run's config.json and the letters of `expected.LEGEND`."""
        return self.expected.written(notation.TEXT, factored=True) if self.expected else ""

    @property
    def substituted(self) -> str:
        """The formula with its numbers: `809344 × 4 + 8`."""
        return self.expected.written(_with_numbers(self.expected), factored=True) if self.expected else ""

    @property
    def agrees(self) -> bool | None:
        """Whether prediction and measurement are equal; None where they need not be, or one is missing."""
        if self.what not in EXACT or self.expected is None or self.measured is None:
            return None
        return self.predicted == self.measured

    @property
    def plain(self) -> dict[str, str | int | bool | None]:
        """Its entry of prediction.json."""
        names = ("what", "formula", "substituted", "predicted", "measured", "note", "agrees")
        return {name: getattr(self, name) for name in names}


def _with_numbers(cost: Quantity) -> notation.Notation:
    return notation.substituted(cost.sizes.numbers)


def predicted(session: Session, traced: bool = True) -> tuple[Row, ...]:
    """The rows of a run of which nothing was measured yet. FLOPs and bytes are those of one process.

    What a step saves for its backward pass takes a trace, of several seconds: without `traced` that is left out, and
    the peak.
    """
    costs = expectation(session)
    B, S, steps, size = _rows(session), session.recipe.block_size, session.recipe.accumulate, session.world.size
    several = f", {steps} batches" if steps > 1 else ""
    rows = (
        Row(PARAMETERS, costs.parameters, None, "unique elements of nn.Parameter"),
        Row(FLOPS, costs.flops, None, f"forward and backward, B = {B}, S = {S}{several}{_each(size)}"),
        *(held := _held(session, costs)),
    )
    if not traced:
        return rows
    kept = _saved(session, costs)
    least = costs.quantity(total(row.expected.expression for row in (*held, kept) if row.expected))
    return (*rows, kept, Row(PEAK, least, None, "the least that a step needs"))


def expectation(session: Session) -> Expected:
    """What the session's run costs in this process."""
    vocab_size, world = session.data.tokenizer.vocab_size, session.world
    dtype = None if session.master.together else session.hardware.dtype  # parts have no copies
    return expected(session.recipe, vocab_size, _rows(session), world.size, dtype)


def _each(size: int) -> str:
    return f", in the first of {size} processes" if size > 1 else ""


def _held(session: Session, costs: Expected) -> tuple[Row, ...]:
    """The rows of what a process keeps: of all weights, or, where they are shared out, of its part of each."""
    states = "two moments in fp32 (Kingma & Ba 2015)"
    if session.master.together:
        with torch.device("meta"):
            weights = list(LanguageModel(session.recipe.model(session.data.tokenizer.vocab_size)).parameters())
        own, size = part(weights), session.world.size
        return (
            Row(WEIGHTS, costs.quantity(b_w * own), None, f"in fp32, of all weights, in the first of {size} processes"),
            Row(
                GRADIENTS, costs.quantity(b_g * own + 3 * FP32), None, "in fp32; the loss, a flag, a square beside them"
            ),
            Row(STATES, costs.quantity(b_o * own + FP32 * len(weights)), None, f"{states}, a count of steps for each"),
        )
    also = f", and a copy in {session.hardware.dtype_name} for the module" if costs.copy else ""
    return (
        Row(WEIGHTS, costs.quantity(b_w * params), None, f"in fp32{also}"),
        Row(
            GRADIENTS,
            costs.quantity(b_g * params + 2 * FP32),
            None,
            f"in fp32{also}; the loss and a flag travel with them",
        ),
        Row(STATES, costs.quantity(b_o * params + 2 * FP32), None, f"{states}, two counts of steps"),
    )


def measured(
    session: Session, rows: Iterable[Row], tokens_per_second: float = nan, most: Peak | None = None
) -> tuple[Row, ...]:
    """The rows with what is found in the run, after its last step, and the rate that was achieved; `most` is the peak
    of memory, where it was asked for before.

    One batch runs forward and backward for it; weights, moments and the generators of random numbers stay as they are.
    """
    # before the pass that counts, which is not part of the run
    peak, includes = most or peak_memory(session.hardware.device)
    flops, bytes_saved, (weights, gradients, states) = _step(session)
    counted: dict[str, int | None] = {
        PARAMETERS: sum(weight.numel() for weight in session.module.parameters()),
        FLOPS: flops * session.recipe.accumulate,
        WEIGHTS: weights,
        GRADIENTS: gradients,
        STATES: states,
        SAVED: bytes_saved,
    }
    done = [replace(row, measured=counted[row.what]) for row in rows if row.what in counted]
    least = f"{includes}; predicted is the least that a step needs"
    done += [replace(row, measured=peak, note=least) for row in rows if row.what == PEAK]
    if isfinite(tokens_per_second):
        done.append(_rate(session, flops * session.recipe.accumulate, tokens_per_second))
    return tuple(replace(row, note=f"{row.note}; DIFFERS" if row.agrees is False else row.note) for row in done)


def table(rows: Sequence[Row]) -> str:
    """The rows as text for a terminal; before anything was measured, what is predicted alone.

    A rate is rounded: it has no more true digits, and the table is as wide on a slow machine as on a quick one.
    """
    from shapeviz.page.listing import Column, Listing, listed
    from shapeviz.renderers import render
    from shapeviz.wording import humanize

    done = any(row.measured is not None for row in rows)
    measured = (Column("measured", "measured", number=True), Column("equal", "")) if done else ()
    columns = (Column("what", "what"), Column("predicted", "predicted", number=True), *measured, Column("note", "note"))
    signs = {True: "✓", False: "✗", None: ""}
    entries = [{**row.plain, "equal": signs[row.agrees]} for row in rows]
    for entry in entries:
        if entry["what"] == RATE:
            entry |= {name: humanize(int(entry[name] or 0)) for name in ("predicted", "measured")}
    title = "Prediction and measurement" if done else "Prediction"
    return str(render(listed(title, Listing("prediction", "", columns, tuple(entries)))))


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes prediction.json into a run folder. Raises InputError if it cannot be written."""
    entries = [row.plain for row in rows]
    files.write(folder / "prediction.json", json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def peak_memory(device: torch.device) -> Peak:
    """The most bytes that were in use, and what they include; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(
            device
        ), "all tensors on the GPU: also ids, activations' gradients, logits"
    try:
        import resource
    except ImportError:  # not on Windows
        return None, "not told by this system"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return most, "the process: also Python, PyTorch's libraries, the corpus, activations' gradients, evaluation"


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """FLOP/s of the fastest of several products of square matrices, as large as they are quick."""
    n = 4096 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    best, end = 0.0, time.perf_counter() + seconds
    while best == 0 or time.perf_counter() < end:
        began = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 2 * n**3 / (time.perf_counter() - began))
    return best


def _rows(session: Session) -> int:
    """The sequences of a batch that are this process's."""
    rows = session.world.rows(session.recipe.batch_size)
    return int(rows.stop - rows.start)


def _saved(session: Session, costs: Expected) -> Row:
    """The row of saved bytes; without a prediction where the module cannot be traced."""
    what = "of one batch; each storage once, parameters apart"
    if session.master.together:
        return Row(SAVED, None, None, f"{what}; not told apart from the weights that are gathered for a layer")
    try:
        vocab_size = session.data.tokenizer.vocab_size
        formula, note = saved.saved(session.recipe, vocab_size, session.hardware, _rows(session))
    except ShapevizError as error:
        return Row(SAVED, None, None, f"{what}; not traced: {str(error).splitlines()[0]}")
    return Row(SAVED, costs.quantity(formula), None, f"{what}; {note}" if note else what)


def _step(session: Session) -> tuple[int, int | None, tuple[int, int, int]]:
    """FLOPs and saved bytes of a batch, forward and backward, counted by PyTorch; bytes of weights, gradients, states.

    Gradients are zero afterwards. What is saved of sharded weights is not told apart from the weights themselves: None.
    """
    recipe, module, master = session.recipe, session.module, session.master
    x_BT, y_BT = batch(session.data.train_ids, recipe.seed, 0, _rows(session), recipe.block_size)
    kept: dict[int, int] = {}
    own: set[int] = set()
    if not master.together:
        own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if tensor.dim() and storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[session.hardware.device] if session.hardware.device.type == "cuda" else []):
        with saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = loss_of(module, x_BT.clone(), y_BT.clone())
        bytes_saved = sum(kept.values())
        loss.backward()  # type: ignore[no-untyped-call]
        master.zero_grad()
        with _spelled_out(module), FlopCounterMode(display=False) as counter:
            loss_of(module, x_BT, y_BT).backward()  # type: ignore[no-untyped-call]
    held = master.held()
    master.zero_grad()
    return int(counter.get_total_flops()), None if master.together else bytes_saved, held


@contextmanager
def _spelled_out(module: LanguageModel) -> Iterator[None]:
    """Attention by products that PyTorch's counter knows; of CPUs' fused attention it counts nothing."""
    before, module.attention = module.attention, "bmm"
    try:
        yield
    finally:
        module.attention = before


def _rate(session: Session, flops: int, tokens_per_second: float) -> Row:
    """What the step achieves against what products alone do."""
    hardware = session.hardware
    peak = matmul_peak(hardware.device, hardware.dtype)
    achieved = flops * tokens_per_second / session.recipe.tokens_per_step
    share = f"{achieved / peak:.1%} of the fastest product of large square matrices in {hardware.dtype_name}"
    note = f"FLOPs a step / seconds a step: {share}, measured now{_each(session.world.size)}"
    return Row(RATE, None, round(achieved), note, reference=round(peak))
