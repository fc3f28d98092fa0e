"""Branches on data in a trace: one way is assumed and said, the other one tried, and the dearer one taken.

A check that would only raise is assumed to hold, since the other way raises. Where both ways can be gone, what is
counted is that of the dearer one: a bound, unless answers act together, since each is tried for itself. A loop that
only data end has none: it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from shapeviz.errors import ShapevizError
from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.modes import PatienceError
from shapeviz.tracing.passes import Setting
from shapeviz.tracing.questions import Answers, EndlessError, Question
from shapeviz.wording import ASSUMED

MOST_TRIED = 6  # questions whose other answer is tried
MOST_FAILED = 12  # attempts to find answers by which the module runs

Answer: TypeAlias = "tuple[Setting, FakeRun]"
Run: TypeAlias = Callable[[Setting], Answer]  # raises ShapevizError
Cost: TypeAlias = Callable[[Setting, FakeRun], tuple[int, ...]]


def assuming(setting: Setting, run: Run, cost: Cost) -> Answer:
    """A run in which questions of data are answered, as dear as any that was tried; its setting has the notes.

    Raises the error of the first run if none succeeds, EndlessError for a loop that only data end.
    """
    if setting.answers:  # found for other symbols, whose sizes did not hold
        return run(replace(setting, answers=Answers(setting.answers.asked)))
    best = _first(setting, run)
    tried: dict[Question, str] = {}
    while rest := [question for question in _asked(best) if question not in tried]:
        if len(tried) == MOST_TRIED:
            tried |= dict.fromkeys(rest, "the other way was not tried")
            break
        tried[rest[0]], best = _compared(best, rest[0], run, cost)
    notes = (f"{ASSUMED}{_word(answer)} at {question}; {tried[question]}" for question, answer in _asked(best).items())
    return replace(best[0], assumed=tuple(notes)), best[1]


def _word(answer: bool) -> str:
    return "yes" if answer else "no"


def _asked(answer: Answer) -> Mapping[Question, bool]:
    answers = answer[0].answers
    assert answers is not None
    return answers.asked


def _first(setting: Setting, run: Run) -> Answer:
    """A run that succeeds: where the module raises, the question that came last is answered otherwise."""
    first: ShapevizError | None = None
    given: dict[Question, bool] = {}
    for _ in range(MOST_FAILED):
        answers = Answers(dict(given))
        try:
            return run(replace(setting, answers=answers))
        except (EndlessError, PatienceError):
            raise
        except ShapevizError as error:
            first = first or error
            last = next((question for question in reversed(answers.asked) if question not in given), None)
            if last is None:
                break
            given[last] = not answers.asked[last]
    assert first is not None
    raise first from first.__cause__


def _compared(best: Answer, question: Question, run: Run, cost: Cost) -> tuple[str, Answer]:
    """What is said of the other answer to a question, and the dearer one of both runs."""
    answers = Answers({**_asked(best), question: not _asked(best)[question]})
    try:
        other = run(replace(best[0], answers=answers))
    except (EndlessError, PatienceError):
        raise
    except ShapevizError as error:
        return f"the other way raises {type(error.__cause__ or error).__name__}", best
    ours, theirs = cost(*best), cost(*other)
    if ours == theirs:
        return "the other way costs the same", best
    return "the other way costs less", best if theirs < ours else other
