"""The mistakes that shapeviz explains: one message that says what, where and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


class UnknownColumnError(InputError, KeyError):
    """A column that a report does not have."""


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


@contextmanager
def requiring(job: str, *packages: str) -> Iterator[None]:
    """Imports of other projects' packages: one that fails raises MissingToolError with the command that installs them.

    job: what needs them, the subject of the message. packages: what pip is to install, the essential one first.

    >>> with requiring("the loss plot", "matplotlib"):
    ...     import no_such_package
    Traceback (most recent call last):
    shapeviz.errors.MissingToolError: the loss plot needs no_such_package, which is not installed: \
pip install matplotlib
    """
    try:
        yield
    except ImportError as error:
        name = (error.name or packages[0]).partition(".")[0]
        if name == __name__.partition(".")[0]:  # a module of our own that is missing is a fault, not the user's to mend
            raise
        absent = isinstance(error, ModuleNotFoundError)
        why = "is not installed" if absent else f"cannot be imported ({str(error).partition(chr(10))[0]})"
        raise MissingToolError(f"{job} needs {name}, which {why}: {install(*packages)}") from error


def install(*packages: str) -> str:
    """The command that installs packages, each by its own name: on PyPI, `shapeviz` is a project of somebody else.

    >>> install("torch>=2.6", "numpy")
    "pip install 'torch>=2.6' numpy"
    """
    from shlex import join

    return join(["pip", "install", *packages])


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'heads'?  (known: …)`, for the end of a message about an unknown name."""
    from difflib import get_close_matches

    names = [one if one.isprintable() and len(one) <= 80 else ascii(one)[:80] for one in known]
    listing = f"known: {', '.join(names)}" if len(names) <= 30 else f"{len(names)} are known"
    lower = {one.lower(): one for one in names}  # FLOAT32 is near float32, however many of its letters are capitals
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    close = close or [lower[one] for one in get_close_matches(name.lower(), lower, n=1, cutoff=0.5)]
    if name.lower() in lower:
        close = [lower[name.lower()]]
    return f"did you mean {close[0]!r}?  ({listing})" if close else listing


def made_of(value: object) -> str:
    """How a Model is made of something else, as one would type it; of what is a Model already, `model`.

    >>> made_of("gpt2"), made_of({"heads": 8}), made_of(3)
    ("shapeviz.read('gpt2')", "shapeviz.read({'heads': 8})", 'shapeviz.read(…)')
    """
    kinds = [(one.__module__.partition(".")[0], one.__name__) for one in getattr(value, "__mro__", type(value).__mro__)]
    if ("shapeviz", "Model") in kinds:
        return "model"
    if ("torch", "Module") in kinds:
        return f"shapeviz.trace({value.__name__}, …)" if isinstance(value, type) else "shapeviz.trace(module, …)"
    shown = repr(value) if isinstance(value, str | dict) else ""
    return f"shapeviz.read({shown if 0 < len(shown) <= 60 else '…'})"
