"""Prediction against measurement: what the formulas say of a run before its first step, and what is then found."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from shapeviz import files
from shapeviz.errors import ShapevizError
from shapeviz.frontends import read
from shapeviz.nets.language_model import LanguageModel
from shapeviz.report import measure
from shapeviz.train import saved
from shapeviz.train.batches import batch
from shapeviz.train.evaluation import loss_of

if TYPE_CHECKING:
    from shapeviz.train.session import Session

PARAMETERS, FLOPS, WEIGHTS, GRADIENTS = "parameters", "FLOPs a step", "bytes of weights", "bytes of gradients"
STATES, SAVED, PEAK, RATE = "bytes of optimizer states", "bytes saved for backward", "peak memory in bytes", "FLOP/s"
EXACT = (PARAMETERS, FLOPS, WEIGHTS, GRADIENTS, STATES, SAVED)
"""What is predicted exactly; the rest is explained."""


@dataclass(frozen=True)
class Row:
    """A figure: its formula over the sizes of the model, its value there, and what was measured (None: not yet).

    Without a formula the prediction is not meant to be exact; the note says why.
    """

    what: str
    formula: str
    predicted: float | None
    measured: float | None
    note: str

    @property
    def agrees(self) -> bool | None:
        """Whether prediction and measurement are equal; None where they need not be, or one is missing."""
        known = self.what in EXACT and self.formula and self.predicted is not None and self.measured is not None
        return self.predicted == self.measured if known else None


def predicted(session: Session) -> tuple[Row, ...]:
    """The rows of a run of which nothing was measured yet; formulas are over the sizes of its config.json.

    FLOPs and bytes are those of one process. A product with a weight has two products as large in its backward pass,
    one for either factor, and so have both products of attention: hence 3 times the forward pass.
    """
    recipe = session.recipe
    B, S = _rows(session), recipe.block_size
    config = recipe.model(session.data.tokenizer.vocab_size)
    total = measure(read(config, sizes={"B": B, "S": S}), ["params", "flops"]).total
    params, steps = total["params"].value, recipe.accumulate
    kept = _saved(session)
    bytes_held = _held_parts(session) if session.master.together else _held(session, params)
    return (
        Row(PARAMETERS, str(total["params"]), params, None, "unique elements of nn.Parameter"),
        Row(FLOPS, f"{3 * steps}·({total['flops']})", 3 * steps * total["flops"].value, None,
            f"forward and backward, B = {B}, S = {S}" + f", {steps} batches" * (steps > 1) + _each(session)),
        *bytes_held,
        kept,
        Row(PEAK, "weights + gradients + optimizer states + saved",
            sum(row.predicted or 0 for row in (*bytes_held, kept)), None, "the least that a step needs"),
    )  # fmt: skip


def _each(session: Session) -> str:
    size = session.world.size
    return f", in the first of {size} processes" if size > 1 else ""


def _held(session: Session, params: int) -> tuple[Row, ...]:
    """The rows of what a process keeps of all weights."""
    low = session.hardware.dtype.itemsize if session.hardware.dtype != torch.float32 else 0
    copies = f"(4 + {low})" if low else "4"
    also = f", and a copy in {session.hardware.dtype_name} for the module" if low else ""
    return (
        Row(WEIGHTS, f"{copies}·params", (4 + low) * params, None, "in fp32" + also),
        Row(GRADIENTS, f"{copies}·params + 8", (4 + low) * params + 8, None,
            f"in fp32{also}; the loss and a flag travel with them"),
        Row(STATES, "8·params + 8", 8 * params + 8, None,
            "two moments in fp32 (Kingma & Ba 2015), two counts of steps"),
    )  # fmt: skip


def _held_parts(session: Session) -> tuple[Row, ...]:
    """The rows of what the first process keeps of its part: ⌈rows / processes⌉ rows of every weight, whole in one."""
    with torch.device("meta"):
        module = LanguageModel(session.recipe.model(session.data.tokenizer.vocab_size))
    weights, size = list(module.parameters()), session.world.size
    part = sum(-(-len(weight) // size) * weight[0].numel() for weight in weights)
    formula = f"Σ ⌈rows/{size}⌉·columns"
    return (
        Row(WEIGHTS, f"4·{formula}", 4 * part, None, f"in fp32, of all weights, in the first of {size} processes"),
        Row(GRADIENTS, f"4·{formula} + 12", 4 * part + 12, None, "in fp32; the loss, a flag and a square beside them"),
        Row(STATES, f"8·{formula} + 4·{len(weights)}", 8 * part + 4 * len(weights), None,
            "two moments in fp32 (Kingma & Ba 2015), a count of steps for every weight"),
    )  # fmt: skip


def measured(session: Session, rows: Iterable[Row], tokens_per_second: float = nan) -> tuple[Row, ...]:
    """The rows with what is found in the run, after its last step, and the rate that was achieved.

    One batch runs forward and backward for it; weights, moments and the generators of random numbers stay as they are.
    """
    peak, includes = peak_memory(session.hardware.device)  # before the pass that counts, which is not part of the run
    flops, bytes_saved, (weights, gradients, states) = _step(session)
    found: dict[str, float | None] = {
        PARAMETERS: sum(weight.numel() for weight in session.module.parameters()),
        FLOPS: flops * session.recipe.accumulate,
        WEIGHTS: weights,
        GRADIENTS: gradients,
        STATES: states,
        SAVED: bytes_saved,
    }
    done = [replace(row, measured=found[row.what]) for row in rows if row.what in found]
    least = f"{includes}; predicted is the least that a step needs"
    done += [replace(row, measured=peak, note=least) for row in rows if row.what == PEAK]
    if isfinite(tokens_per_second):
        done.append(_rate(session, flops * session.recipe.accumulate, tokens_per_second))
    return tuple(replace(row, note=f"{row.note}; DIFFERS" if row.agrees is False else row.note) for row in done)


def table(rows: Sequence[Row]) -> str:
    """The rows as text for a terminal; before anything was measured, what is predicted alone."""
    from shapeviz.renderers.listing import Column, Listing, render_listings

    done = any(row.measured is not None for row in rows)
    measured = (Column("measured", "measured", number=True), Column("equal", "")) if done else ()
    columns = (Column("what", "what"), Column("predicted", "predicted", number=True), *measured, Column("note", "note"))
    signs = {True: "✓", False: "✗", None: ""}
    entries = tuple({**asdict(row), "equal": signs[row.agrees]} for row in rows)
    title = "Prediction and measurement" if done else "Prediction"
    return render_listings(title, [Listing("prediction", "", columns, entries)], "table")


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes prediction.json into a run folder. Raises InputError if it cannot be written."""
    entries = [{**asdict(row), "agrees": row.agrees} for row in rows]
    files.write(folder / "prediction.json", json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def peak_memory(device: torch.device) -> tuple[int | None, str]:
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


def _saved(session: Session) -> Row:
    """The row of saved bytes; without a prediction where the module cannot be traced."""
    what = "of one batch; each storage once, parameters apart"
    if session.master.together:
        return Row(SAVED, "", None, None, f"{what}; not told apart from the weights that are gathered for a layer")
    try:
        formula, value, note = saved.saved(session, _rows(session))
    except ShapevizError as error:
        return Row(SAVED, "", None, None, f"{what}; not traced: {str(error).splitlines()[0]}")
    return Row(SAVED, str(formula), value, None, f"{what}; {note}" if note else what)


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
    note = (
        f"{achieved / peak:.1%} of the fastest product of large square matrices in {hardware.dtype_name}, measured now"
        + _each(session)
    )
    return Row(RATE, "FLOPs a step / seconds a step", round(peak), round(achieved), note)
