"""The command line: a verb a file, loaded when it is called; no arithmetic and no formatting here."""

from __future__ import annotations

import sys


def main() -> None:
    """The `shapeviz` program. Exits 0, 1 (a check failed), 2 (bad usage or input) or 130 (Ctrl-C)."""
    try:
        from shapeviz.cli import _frame
    except ModuleNotFoundError as error:  # run from a clone, without what it needs
        sys.exit(f"Error: shapeviz needs {error.name}, which is not installed: pip install . in the clone brings it")
    try:
        _frame.open_streams()
        _frame.check_python()
        _frame.keep_stdout()
        _frame.keep_interrupts()
        from shapeviz.cli._app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # typer's own output, such as --help, to a full disk
        _frame.silence()
        _frame.say(f"Error: {_frame.explained(error)}")
        sys.exit(2)
    except Exception as error:  # a fault in what begins before a verb does
        _frame.say(f"Error: {_frame.unforeseen(error)}")
        sys.exit(2)
