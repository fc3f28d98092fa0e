"""One update of the weights, and the state of a run that changes from one to the next."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import inf, isfinite, nan
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from shapeviz.errors import CheckFailedError
from shapeviz.train.batches import seed_of, starts, windows
from shapeviz.train.evaluation import loss_of
from shapeviz.train.optimizer import learning_rate
from shapeviz.train.session import Session

Loss = tuple[int, Tensor, Tensor]


@dataclass
class Run:
    """What changes: `step` updates are done, the last line of the log is of step `logged`.

    `pending` holds (step, loss, norm of the gradient) since that line, `best` the lowest validation loss, `stale` the
    evaluations since it, `asked` the signal that asked this process for an end, `stop` the one on which all processes
    have agreed.
    """

    session: Session
    step: int = 0
    logged: int = -1
    pending: list[Loss] = field(default_factory=list)
    best: float = inf
    stale: int = 0
    seconds: float = 0.0
    asked: int = 0
    stop: int = 0
    train_loss: float = nan
    val_loss: float = nan
    rate: float = nan

    def state(self) -> dict[str, Any]:
        """The checkpoint of this moment; of weights in parts all processes must call for it."""
        pending = [(step, float(loss), float(norm)) for step, loss, norm in self.pending]
        return {
            **self.session.master.stored(self.session.folder, self.step),
            "step": self.step,
            "logged": self.logged,
            "pending": pending,
            "best": self.best,
            "stale": self.stale,
            "train_loss": self.train_loss,
            "val_loss": self.val_loss,
            "seconds": self.seconds,
            "fingerprint": self.session.fingerprint,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        for name in ("step", "logged", "best", "train_loss", "val_loss", "seconds"):
            setattr(self, name, state[name])
        self.stale = int(state.get("stale", 0))
        device = self.session.hardware.device
        for step, loss, norm in state["pending"]:
            self.pending.append((step, torch.tensor(loss, device=device), torch.tensor(norm, device=device)))

    @property
    def done(self) -> bool:
        """Whether it has come to its last step, or lost its patience."""
        return self.ends(self.stale)

    def ends(self, stale: int) -> bool:
        """Whether it has, if so many evaluations were in vain."""
        recipe = self.session.recipe
        return self.step >= recipe.steps or 0 < recipe.patience <= stale

    @property
    def synchronous(self) -> bool:
        """Whether reading a figure waits for nothing, as on a CPU."""
        return self.session.hardware.device.type == "cpu"


def wrapped(session: Session) -> nn.Module:
    """The module as it is trained: compiled, or in DistributedDataParallel, if the recipe says so."""
    module: nn.Module = session.module
    if session.hardware.compiled:
        module = torch.compile(module)  # type: ignore[assignment]
    if session.world.size > 1 and session.recipe.parallel == "ddp":
        device = session.hardware.device
        module = DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)
    return module


def _alone(session: Session, module: Any, more: bool) -> AbstractContextManager[Any]:
    """Where torch's own engines keep gradients to this process, as long as more batches of an update follow.

    In bfloat16 DistributedDataParallel sums every batch: batches are added up in float32, where it has no hand in it.
    """
    if session.master.together:
        module.set_requires_gradient_sync(not more)
    waiting = more and isinstance(module, DistributedDataParallel) and session.hardware.dtype == torch.float32
    return module.no_sync() if waiting else nullcontext()


def update(run: Run, module: nn.Module) -> None:
    """Gradients of `accumulate` batches, the mean over all their tokens in all processes; clipped; one AdamW step.

    Raises CheckFailedError before the update, on a CPU, if the loss or the gradient is not finite.
    """
    session, recipe = run.session, run.session.recipe
    master, world = session.master, session.world
    if recipe.dropout:
        torch.manual_seed(seed_of(recipe.seed, "dropout", run.step, world.rank))
    averaged = session.averaged
    count, ids = recipe.batch_size * recipe.accumulate, session.data.train_ids
    places = starts(len(ids) - recipe.block_size, recipe.seed, run.step, count)
    rows = world.rows(recipe.batch_size)
    share = (rows.stop - rows.start) / count
    for index, part in enumerate(places.view(recipe.accumulate, recipe.batch_size)):
        x_BT, y_BT = windows(ids, part[rows], recipe.block_size)
        with _alone(session, module, index + 1 < recipe.accumulate):
            loss = loss_of(module, x_BT, y_BT) * share
            (loss * world.size if averaged else loss).backward()
        master.tail[0] += loss.detach()
        master.collect()
    if world.size > 1:
        master.tail[1] = float(run.asked > 0)
        world.sum(master.tail if averaged else master.reduced)
    run.pending.append((run.step + 1, master.tail[0].clone(), master.clip_grad_norm()))
    if run.synchronous:
        check_finite(run, run.pending[-1:])
    run.stop = run.asked
    if world.size > 1:
        run.stop = (run.asked or signal.SIGTERM) if float(master.tail[1]) else 0
    master.update(learning_rate(recipe, run.step))
    run.step += 1


def check_finite_validation(run: Run, val_loss: float) -> None:
    """Raises CheckFailedError if the loss on the validation split is not finite, before anything of it is saved."""
    if not isfinite(val_loss):
        raise CheckFailedError(_not_finite(run, run.step, f"the loss on the validation split is {val_loss}"))


def check_finite(run: Run, losses: list[Loss]) -> None:
    """Raises CheckFailedError with the first step whose loss or gradient is not finite."""
    for step, loss, norm in losses:
        if not (isfinite(loss) and isfinite(norm)):
            what = "the loss" if not isfinite(loss) else "the gradient's norm"
            value = float(loss if not isfinite(loss) else norm)
            raise CheckFailedError(_not_finite(run, step, f"{what} is {value}"))


def _not_finite(run: Run, step: int, what: str) -> str:
    recipe = run.session.recipe
    return (
        f"step {step:,}: {what} (learning rate {learning_rate(recipe, max(0, step - 1)):.3g}); nothing of it is saved, "
        f"{run.session.folder} keeps the checkpoints before it; try, in another folder, a lower --lr than {recipe.lr:g}"
        + ("" if recipe.clip else ", or --clip 1")
        + ("" if recipe.warmup_steps else ", or a --warmup")
    )
