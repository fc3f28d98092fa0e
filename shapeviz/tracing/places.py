"""Where a line of code stands: in torch, in this package, or in the user's own files."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from pathlib import Path

import torch

FOLDERS = (Path(torch.__file__).parent, Path(__file__).parent.parent)
SKIPPED = (*map(str, FOLDERS), "<frozen", contextlib.__file__, functools.__file__)


def is_torchs(file: str) -> bool:
    """True for a file of torch's, of ours, or of the little that Python puts between calls."""
    return file.startswith(SKIPPED)


RUN = "run_module"  # the function in which the module's own code begins


def site() -> str:
    """`model.py:31`, the line of the innermost running code that is neither torch's nor ours."""
    frame = sys._getframe(1)
    while frame is not None and is_torchs(frame.f_code.co_filename):
        frame = frame.f_back if frame.f_code.co_name != RUN else None  # type: ignore[assignment]
    return f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else ""


def line_of(error: BaseException) -> str:
    """`model.py:31`, the innermost line of a traceback that is neither torch's nor ours."""
    found = traceback.extract_tb(error.__traceback__)
    begin = max((i for i, frame in enumerate(found) if frame.name == RUN), default=0)
    frames = [frame for frame in found[begin:] if not is_torchs(frame.filename)]
    return f"{shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def shown(file: str) -> str:
    """A file as people name it: from the working directory, or from the folder that Python imports it from."""
    for folder in (os.getcwd(), *sorted(sys.path, key=len, reverse=True)):
        if folder and file.startswith(folder + os.sep):
            return file[len(folder) + 1 :]
    return file


def source(place: str) -> str:
    """The text of a line of code, empty if it cannot be read."""
    name, _, number = place.rpartition(":")
    for folder in ("", *sys.path):
        try:
            return Path(folder, name).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()
        except (OSError, ValueError, IndexError):
            continue
    return ""
