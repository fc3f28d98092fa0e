"""The frame in which a verb runs: a mistake becomes one message and an exit code, a reader gone away a silent end."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from select import select
from signal import SIGINT
from threading import Timer
from typing import Any

import typer

from shapeviz.errors import ShapevizError

NO_MEMORY = re.compile("out of memory|not enough memory|DefaultCPUAllocator|Cannot allocate memory", re.IGNORECASE)
LONGEST = 4000  # signs of a message: what was typed may be as long as anything
PATIENCE = 2.0  # seconds after which somebody wants to know that something goes on


def guarded(run: Callable[[], None], debug: bool, github: bool = False) -> None:
    """Runs a verb; with `debug` an error's traceback comes before its message, for `github` it is an annotation."""
    try:
        run()
        sys.stdout.flush()
    except (typer.Exit, typer.Abort):
        raise
    except ShapevizError as error:
        if github:
            from shapeviz.renderers.to_github import annotation

            put(annotation("error", "shapeviz", str(error)).encode())
        _told(str(error), error.exit_code, debug)
    except BrokenPipeError:
        silence()
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(130) from None
    except OSError as error:
        silence()
        _told(explained(error), 2, debug)
    except Exception as error:
        if _interrupts(error):
            say("interrupted")
            raise typer.Exit(130) from None
        _told(unforeseen(error), 2, debug)


def _told(text: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    say(f"Error: {text if len(text) <= LONGEST else text[:LONGEST] + ' …'}")
    raise typer.Exit(code) from None


def _interrupts(error: BaseException | None) -> bool:
    """True for what Python makes of a Ctrl-C in the middle of a class."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def unforeseen(error: BaseException) -> str:
    """One line for an error that nobody has provided for."""
    kind = type(error).__name__
    try:
        words = str(error).strip().partition("\n")[0]
    except Exception:
        words = ""
    if isinstance(error, MemoryError) or NO_MEMORY.search(words):
        return "there is not enough memory for this"
    return f"{kind}{': ' * bool(words)}{words[:300]}, which was not foreseen; --debug shows where"


def explained(error: OSError) -> str:
    """The file and the operating system's words; without a file it is standard output that failed."""
    words = error.strerror or str(error)
    return f"{error.filename}: {words}" if error.filename else f"cannot write the result: {words}"


def say(text: str) -> None:
    """A line on standard error, its control characters visible; nothing if nobody can read it."""
    clean = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    with suppress(OSError):
        sys.stderr.write(clean + "\n")
        sys.stderr.flush()


@contextmanager
def progress(text: str, after: float = PATIENCE) -> Iterator[None]:
    """Says what goes on, on standard error, if it takes longer than a couple of seconds."""
    timer = Timer(after, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def put(content: bytes) -> bool:
    """All of this on standard output; False if its reader has gone, who wants no more. Raises OSError if it cannot be
    written."""
    try:
        sys.stdout.flush()
        number = sys.stdout.fileno()
    except (OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            return silence()
        if isinstance(error, UnsupportedOperation):  # standard output is replaced by an object of Python's
            sys.stdout.buffer.write(content)
            return True
        raise
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(number, rest) :]
        except BlockingIOError:  # a pipe that does not wait for its reader: we do
            select([], [number], [])
        except BrokenPipeError:
            return silence()
    return True


def silence() -> bool:
    """What is still to be written on standard output is dropped, so that Python does not try it again at its end.

    False, for that nobody reads."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return False


def open_streams() -> None:
    """Gives closed standard streams a place, before a file opened later takes their numbers.

    A closed standard output stays one that cannot be written, a closed standard error swallows what it gets.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def check_python() -> None:
    """Says that Python was told to drop docstrings: some of ours are equations that are printed."""
    if sys.flags.optimize > 1:
        say("note: without docstrings (PYTHONOPTIMIZE=2, python -OO) most equations are not shown")


def keep_stdout() -> None:
    """Standard output is for results alone: what anybody else writes to its number goes to standard error.

    So do modules, their libraries and their children, which may print by ways that Python does not see.
    """
    old = sys.stdout
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = open(  # noqa: SIM115
        own, "w", encoding=old.encoding, errors=old.errors, newline=None, buffering=1 if os.isatty(own) else -1
    )


def keep_interrupts() -> None:
    """A Ctrl-C that Python would ignore, since it came while an object was taken away, comes once more."""

    def hook(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            Timer(0.01, os.kill, [os.getpid(), SIGINT]).start()
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = hook
