"""What a run shows of itself: the plot while it goes on, samples, and at its end the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from shapeviz.errors import MissingToolError, ShapevizError, SizeError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import checkpoint, plot, prediction, summary
from shapeviz.train.generate import generate, load
from shapeviz.train.hardware import enough_memory
from shapeviz.train.recipe import command
from shapeviz.train.session import Say, Session
from shapeviz.train.temperature import statistics, words

SHARE = 0.05
"""Of the time, at most, that is spent on drawing."""
FIRST = 1.0
"""Seconds that the first drawing is thought to take, with what it imports: a short run is drawn once, at its end."""
TOKENS = 300
SHOWN = (0.0, 0.8)


class Plot:
    """The loss plot of a run, redrawn as it grows; without matplotlib that is said once, and nothing drawn."""

    def __init__(self, session: Session, say: Say) -> None:
        self.session, self.say = session, say
        self.cost, self.drawn, self.able = FIRST, time.monotonic(), True

    def draw(self, now: bool = False) -> None:
        """Draws, unless the last drawing is so near that it would take too great a part of the time."""
        began = time.monotonic()
        if not self.able or not (now or began - self.drawn >= self.cost / SHARE):
            return
        data = self.session.data
        try:
            plot.draw(self.session.folder, data.corpus.entropy_bits, coding=data.coding)
        except MissingToolError as error:
            self.able = False
            self.say(f"note: {error}")
        self.drawn = time.monotonic()
        self.cost = self.drawn - began


def sample(session: Session, tokens: int = 200) -> str:
    """A text from the weights as they are, sampled at temperature 0.8; in fp32, on the run's device."""
    data, weights = session.data, session.master.full_state_dict()
    if not session.world.main:
        return ""
    module = LanguageModel(session.recipe.model(data.tokenizer.vocab_size)).to(session.hardware.device)
    module.load_state_dict(weights)
    return generate(module, data.tokenizer, tokens=tokens, temperature=0.8, seed=session.recipe.seed)


def predict(session: Session, say: Say) -> None:
    """What the formulas say of the run, before it."""
    say(prediction.table(prediction.predicted(session, traced=False)))


def finish(session: Session, outcome: Any, say: Say) -> None:
    """Samples of the best checkpoint, prediction against measurement, and `report.md` with all of it.

    Of sharded weights all processes must call it; the first one writes.
    """
    most = prediction.peak_memory(session.hardware.device)  # before all that is not part of the run
    rows = prediction.measured(session, prediction.predicted(session), outcome.tokens_per_second, most)
    if not session.world.main:
        return
    prediction.write(session.folder, rows)
    say(prediction.table(rows))
    data, corpus = session.data, session.data.corpus
    module, tokenizer = load(session.folder)
    if not session.master.together:  # one that is in parts may fit the main memory alone
        module.to(session.hardware.device)
    step = checkpoint.load(session.folder / checkpoint.BEST)["step"]
    samples = []
    for temperature in SHOWN:
        how = "greedy" if temperature == 0 else f"temperature {temperature}, seed {session.recipe.seed}"
        text = generate(module, tokenizer, tokens=TOKENS, temperature=temperature, seed=session.recipe.seed)
        samples.append((f"{how}, weights of step {step:,}", text))
    try:
        known = words(data.texts())
        temperatures = statistics(
            module, tokenizer, known, data.val_ids, seed=session.recipe.seed, per_token=not data.coding.exact
        )
    except SizeError:  # a validation part that is too short
        temperatures = ()
    say(f"a sample at temperature {SHOWN[-1]}:\n{samples[-1][1].strip()}")
    figures = {**asdict(outcome), "chosen": "; ".join(session.hardware.reasons)}
    for name in ("stopped", "note"):
        del figures[name]
    summary.write(
        session.folder,
        recipe=session.recipe.plain(),
        data={name: value for name, value in data.facts.items() if value is not None},
        outcome=figures,
        samples=samples,
        predictions=rows,
        temperatures=temperatures,
        command=command(session.recipe, session.folder),
        entropy_bits=corpus.entropy_bits,
        coding=data.coding,
        evaluated=session.evaluated(),
    )
    say(f"{session.folder / 'report.md'} tells all of it; shapeviz generate {session.folder} writes more")


def shown(job: Callable[[], None], say: Say) -> None:
    """Does what is not worth the loss of a trained model: a mistake in it is told, and no more."""
    try:
        with enough_memory("while the report is made", "the trained model is in the run's folder"):
            job()
    except ShapevizError as error:
        say(f"note: {error}")
