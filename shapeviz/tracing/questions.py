"""Questions that a module asks of its data (`if mask.any()`), told apart by where they stand, and the answers to them.

A trace has no data. What it is asked is answered as a caller of the trace assumes, and written down, so that it can be
answered otherwise in another run (assumed_branches.py).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType, FrameType

from shapeviz.errors import DataDependentError
from shapeviz.tracing.code_site import RUN, code_at, is_torchs, site
from shapeviz.wording import in_a_line

# How often a question may come, from one running function and from all: beyond that it is a loop that data end.
MOST_ASKED = 1000
MOST_IN_ALL = 5000
LONGEST_CODE = 60  # characters of a line of code that a note shows


@dataclass(frozen=True)
class Question:
    """A place in the code where data are asked something: two on one line are two.

    `place` are lines and columns, of the jump and of what it asks: Python writes the condition of a loop twice.
    """

    code: CodeType
    place: tuple[object, ...]
    line: str = field(compare=False)

    def __str__(self) -> str:
        code = code_at(self.line)
        if len(code) > LONGEST_CODE:
            code = code[: LONGEST_CODE - 1] + "…"
        return in_a_line(self.line + f", {code}" * bool(code))


class EndlessError(DataDependentError):
    """A loop that only data end."""


class Answers:
    """The answers that a run gives. `given` are those that are not the usual ones; None refuses every question.

    `asked` has all questions that came, in order, each with its answer; `last` is the one that came last.
    """

    def __init__(self, given: Mapping[Question, bool] | None = None) -> None:
        self.given = given
        self.asked: dict[Question, bool] = {}
        self.last: Question | None = None
        self._times: dict[Question, tuple[FrameType, int, int]] = {}

    def answer(self, usual: bool) -> bool:
        """The answer to the question that the running code asks. Raises EndlessError for a loop that only data end."""
        frame = _asking()
        jump = frame.f_lasti // 2
        place = tuple(islice(frame.f_code.co_positions(), max(jump - 1, 0), jump + 1))
        question = Question(frame.f_code, place, site())
        self.last = question
        before, times, in_all = self._times.get(question, (frame, 0, 0))
        self._times[question] = frame, (times + 1 if before is frame else 1), in_all + 1
        if times > MOST_ASKED or in_all > MOST_IN_ALL:
            raise EndlessError(
                f"only data end the loop at {question}: a trace, which has none, cannot count its rounds"
            )
        answer = (self.given or {}).get(question, usual)
        self.asked[question] = answer
        return answer


def _asking() -> FrameType:
    """The innermost running code that is neither torch's nor ours; of a module of torch's own, the innermost."""
    innermost = frame = sys._getframe(2)
    while is_torchs(frame.f_code.co_filename):
        if frame.f_code.co_name == RUN or frame.f_back is None:
            return innermost
        frame = frame.f_back
    return frame
