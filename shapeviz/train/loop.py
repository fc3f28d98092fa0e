"""The training loop: update, log, evaluate, save; stopped or killed at any moment it goes on bit for bit."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import isnan, log, nan
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from shapeviz import files
from shapeviz.errors import SizeError
from shapeviz.train import checkpoint, distributed, hardware, results, tensorboard
from shapeviz.train import folder as folders
from shapeviz.train import session as sessions
from shapeviz.train.bits import perplexity
from shapeviz.train.clock import Clock
from shapeviz.train.evaluation import FIRST, LAST, evaluate, one_batch, together
from shapeviz.train.log import Log
from shapeviz.train.optimizer import learning_rate
from shapeviz.train.progress import Progress
from shapeviz.train.recipe import Recipe, check
from shapeviz.train.session import Say
from shapeviz.train.update import Run, check_finite, check_finite_validation, update, wrapped

SMALLER = "a smaller --batch-size (with --accumulate for the same updates), --block-size or --d-model takes less"


@dataclass(frozen=True)
class Outcome:
    """Where a run has come to: losses in nats per token, seconds of all sittings, the signal that stopped it or 0.

    `bits_per_character` is `val_loss` in another unit (None where the tokenizer loses text), `perplexity` its
    exponential, `entropy_bits` what the source of the text has, if it is known; `evaluated` says on what the
    loss was taken, `note` is to be shown beside the bits.
    """

    step: int
    train_loss: float
    val_loss: float
    perplexity: float
    bits_per_character: float | None
    entropy_bits: float | None
    seconds: float
    tokens_per_second: float
    stopped: int = 0
    evaluated: str = "the validation split"
    note: str = ""


def train(
    recipe: Recipe, folder: Path, resume: bool = False, say: Say = print, progress: bool = False, report: bool = True
) -> Outcome:
    """Trains in a run folder, a new one or, with `resume`, the one that is there; gives where it has come to.

    Ctrl-C, SIGTERM and SIGHUP finish the step and save; a second one ends at once. Raises InputError, SizeError and
    MissingToolError for what cannot begin, before anything is overwritten, and CheckFailedError if the loss is no
    longer finite. `progress` is shown on standard error; without `report` there is no plot, no sample and no report.md.
    """
    folder = Path(folder)
    check(recipe)
    if recipe.tensorboard:
        tensorboard.check()
    threads = torch.get_num_threads()
    with ExitStack() as stack:
        world = distributed.start(hardware.device_of(recipe.device), grouped=recipe.parallel == "fsdp")
        stack.callback(torch.set_num_threads, threads)
        stack.callback(distributed.stop, world)
        say = say if world.main else _silent
        world.first(lambda: distributed.check(world, recipe.batch_size))
        recipe = world.first(lambda: _entered(recipe, folder, resume, stack))
        if world.main:
            stack.callback(folders.leave, folder)
        state = sessions.saved(folder, resume, world)
        if state is not None and recipe.steps < state["step"]:
            raise SizeError(f"{folder} is at step {state['step']:,}: --steps {recipe.steps} is behind it")
        with hardware.enough_memory("while the text is read", "a smaller one fits"):
            session = sessions.begin(recipe, folder, world, state, say)
        run = Run(session)
        if state is not None:
            sessions.restore(session, state, folder / checkpoint.LAST, say)
            run.restore(state)
            if run.done and (not report or (folder / "report.md").exists()):
                more = "--steps" if run.step == recipe.steps else "a greater --patience, or 0,"
                say(f"{folder} has come to its last step, {run.step:,}: {more} asks for more")
                return _outcome(run, nan)
            say(f"{folder}: going on at step {run.step:,} of {recipe.steps:,}")
            if recipe.steps > recipe.schedule_steps and recipe.schedule == "cosine":
                end = f"note: behind step {recipe.schedule_steps:,} (--t-max)"
                stays = f"{end} the learning rate stays at {recipe.min_lr:g}; --no-hold lets it rise again"
                say(stays if recipe.hold else f"{end} the cosine of the learning rate rises again")
        if world.main and resume:
            Log(folder).truncate(run.logged)
            files.write(folder / folders.RECIPE, folders.dumped(recipe.plain()))
        sessions.agree(session, run.step)
        if report and world.main:
            results.predict(session, say)
        with _signals(run), world.told_once(), hardware.enough_memory("in a step or an evaluation", SMALLER):
            outcome = Steps(run, say, progress, report).go()
        if report and (world.main or session.master.together) and not outcome.stopped:
            results.shown(lambda: results.finish(session, outcome, say), say)
        return outcome


def _outcome(run: Run, tokens_per_second: float) -> Outcome:
    coding, entropy_bits = run.session.data.coding, run.session.data.corpus.entropy_bits
    chosen_among, bits = perplexity(run.val_loss), coding.bits(run.val_loss)
    return Outcome(
        run.step, run.train_loss, run.val_loss, chosen_among, bits, entropy_bits, run.seconds, tokens_per_second,
        run.stop, run.session.evaluated(LAST if run.done else None), coding.note,
    )  # fmt: skip


def _entered(recipe: Recipe, folder: Path, resume: bool, stack: ExitStack) -> Recipe:
    """Takes hold of the folder; gives the recipe that counts."""
    if resume:
        folders.stored(folder)
        stack.enter_context(checkpoint.locked(folder))
        return folders.resumed(recipe.absolute(), folder)
    folders.check_like(recipe)
    folders.make(folder)
    stack.enter_context(checkpoint.locked(folder))
    folders.make(folder)  # another process may have come first
    return recipe.absolute()


class Steps:
    """The steps of one sitting, with its log, its progress and its clock."""

    def __init__(self, run: Run, say: Say, progress: bool, report: bool) -> None:
        self.run, self.recipe, self.main, self.say = run, run.session.recipe, run.session.world.main, say
        self.log = Log(run.session.folder)
        self.clock = Clock(run.step)
        self.progress = Progress(self.recipe.steps, sys.stderr.isatty(), run.step) if progress and self.main else None
        self.plot = results.Plot(run.session, say) if report and self.main else None
        self.board = tensorboard.Board(run.session.folder) if self.recipe.tensorboard and self.main else None
        if self.board and run.step:
            self.board.restart(run.step + 1)

    def go(self) -> Outcome:
        """Goes on to the recipe's last step, or until a signal."""
        run, recipe = self.run, self.recipe
        module = wrapped(run.session)
        with self.progress or nullcontext():
            while True:
                if run.logged < run.step and (run.done or run.step % recipe.evaluation_steps == 0):
                    self.evaluated()
                elif run.logged < run.step and run.step % recipe.log_every == 0:
                    self.logged()
                if run.done or run.stop:
                    break
                update(run, module)
                due = recipe.sample_every and run.step % recipe.sample_every == 0
                if due and (self.main or run.session.master.together):
                    with self.clock.aside():
                        self.tell(f"step {run.step:,}:\n{results.sample(run.session).strip()}\n")
            if run.stop:
                check_finite(run, run.pending)
                self.save(checkpoint.LAST)
        self.log.close()
        if self.plot:
            results.shown(partial(self.plot.draw, now=True), self.say)
        if run.done and run.step < recipe.steps:
            self.say(f"ended at step {run.step:,}: {run.stale} evaluations without a lower loss than {run.best:.4f}")
        elif run.stop:
            done = f"stopped at step {run.step:,} of {recipe.steps:,}"
            self.say(f"{done}; shapeviz train --resume {run.session.folder} goes on")
        return _outcome(run, self.clock.mean(recipe.tokens_per_step))

    def evaluated(self) -> None:
        """Evaluates, logs and saves; nothing of it if a signal comes while it evaluates."""
        run, session, recipe = self.run, self.run.session, self.recipe
        module, val_ids = session.module, session.data.val_ids
        check_finite(run, run.pending)
        rate = self.clock.lap(run.step, recipe.tokens_per_step)
        val_loss = self.loss(min(recipe.eval_tokens, FIRST) if run.step == 0 else recipe.eval_tokens)
        if val_loss is None:
            return
        stale = 0 if val_loss < run.best else run.stale + 1
        whole: float | None = val_loss
        if run.ends(stale) and session.evaluated() != session.evaluated(LAST):
            whole = self.loss(LAST)
        if whole is None:
            return
        check_finite_validation(run, val_loss)
        run.val_loss = val_loss
        more = {}
        if recipe.single_batch:
            more["val_batch_loss"] = one_batch(
                module, val_ids, recipe.seed, run.step, recipe.batch_size, recipe.block_size
            )
        self.logged(rate, val_loss=val_loss, **more)
        run.stale = stale
        if val_loss < run.best:
            run.best = val_loss
            self.save(checkpoint.BEST)
        run.val_loss = whole
        self.save(checkpoint.LAST)
        if self.plot:
            results.shown(self.plot.draw, self.tell)
        self.clock.restart(run.step)

    def loss(self, largest: int) -> float | None:
        """The loss on so many tokens of the validation split; None, and the end of the sitting, if a signal comes."""
        run, session = self.run, self.run.session
        vocab_size, block_size = session.data.tokenizer.vocab_size, self.recipe.block_size
        found = evaluate(
            session.module, session.data.val_ids, block_size, session.world, lambda: bool(run.asked), largest,
            together(vocab_size),
        )  # fmt: skip
        if found is None:
            run.stop = run.asked or signal.SIGTERM
            self.clock.restart(run.step)
        return found

    def logged(self, rate: float | None = None, **more: float) -> None:
        """Adds a line to the log: the mean training loss since the line before, and `more`."""
        run, recipe = self.run, self.recipe
        check_finite(run, run.pending)
        run.rate = self.clock.lap(run.step, recipe.tokens_per_step) if rate is None else rate
        if run.pending:
            run.train_loss = sum(float(loss) for _, loss, _ in run.pending) / len(run.pending)
        lr = learning_rate(recipe, max(0, run.step - 1))
        run.logged, run.pending = run.step, []
        line = {"train_loss": run.train_loss, "lr": lr, "tokens_per_second": run.rate, **more}
        if self.main:
            self.log.add(step=run.step, **line)
        if self.board:
            self.board.add(run.step, {name: None if isnan(value) else value for name, value in line.items()})
        if run.step == 0 and "val_loss" in more:
            uniform = log(run.session.data.tokenizer.vocab_size)
            self.tell(f"before the first step: loss {more['val_loss']:.4f}, ln V = {uniform:.4f}")
            if self.progress:
                self.progress.begin()
        elif self.progress:
            self.progress.show(run.step, run.train_loss, lr, run.rate, more.get("val_loss"))
        if "val_batch_loss" in more:
            self.tell(f"step {run.step:,}: loss {more['val_batch_loss']:.4f} on one validation batch")
        self.clock.restart(run.step)

    def tell(self, text: str) -> None:
        """Says something, above the bar if there is one."""
        (self.progress.say if self.progress else self.say)(text)

    def save(self, name: str) -> None:
        """Writes a checkpoint, in the main process, when the log that it counts on is on the disk."""
        run, folder = self.run, self.run.session.folder
        run.seconds += self.clock.sitting()
        if self.main:
            self.log.sync()
        state = run.state()
        if self.main:
            checkpoint.save(folder / name, state)
            checkpoint.sweep(folder)


@contextmanager
def _signals(run: Run) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP are noted in the run; the second one does what it always did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}

    def leave() -> None:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def note(number: int, _: FrameType | None) -> None:
        run.asked = number
        leave()

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        leave()


def _silent(_: str) -> None:
    """Says nothing, as all processes but one do."""
