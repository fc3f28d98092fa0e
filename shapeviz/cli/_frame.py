"""The frame in which a verb runs: a mistake becomes one message and an exit code, a reader gone away a silent end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer

import typer

from shapeviz.errors import ShapevizError

PATIENCE = 2.0  # seconds after which somebody wants to know that something goes on


def guarded(run: Callable[[], None], debug: bool) -> None:
    """Runs a verb; with `debug` an error's traceback comes before its message."""
    try:
        run()
        sys.stdout.flush()
    except ShapevizError as error:
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


def _told(text: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    say(f"Error: {text}")
    raise typer.Exit(code) from None


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


def silence() -> None:
    """What is still to be written on standard output is dropped, so that Python does not try it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
