"""The mistakes that shapeviz explains: one message that says what, where and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class ShapevizError(Exception):
    """A mistake of the user's; the command line prints it without a traceback and exits with 2."""

    exit_code = 2

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *getattr(self, "__notes__", ())])


class SizeError(ShapevizError):
    """A size that is missing, no positive integer, or impossible together with another."""


class ConditionError(SizeError):
    """Sizes at which a traced module takes another branch than the one that was traced."""


class ShapeError(ShapevizError):
    """Two shapes that do not fit; a note is added for every block that is left on the way up."""


class InputError(ShapevizError):
    """A file, name, key, path or format that cannot be read or is not known."""


class MissingToolError(ShapevizError):
    """A program or package that this job needs is not installed; the message says how to get it."""


class CheckFailedError(ShapevizError):
    """A comparison that disagrees: exit 1, so that continuous integration can rely on it."""

    exit_code = 1


class TraceError(ShapevizError):
    """A trace that could not be finished; `model` is the tree so far, None if there is none."""

    exit_code = 1

    def __init__(self, message: str, model: Any = None) -> None:
        super().__init__(message)
        self.model = model


class DataDependentError(TraceError):
    """A branch or a size that only the data tell; other sizes change nothing about it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'heads'?  (known: …)`, for the end of a message about an unknown name."""
    from difflib import get_close_matches

    names = [one if one.isprintable() and len(one) <= 80 else ascii(one)[:80] for one in known]
    listing = f"known: {', '.join(names)}" if len(names) <= 30 else f"{len(names)} are known"
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?  ({listing})" if close else listing
