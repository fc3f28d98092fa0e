"""Where a line of code stands: in torch, in this package, or in the user's own files. A site is `model.py:31`."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from pathlib import Path
from types import FrameType

import torch

FOLDERS = (Path(torch.__file__).parent, Path(__file__).parent.parent)
# Python's own files count with torch's and ours: context managers and wrappers stand between two calls of theirs.
SKIPPED = (*map(str, FOLDERS), "<frozen", contextlib.__file__, functools.__file__)
RUN = "run_module"  # the function of ours in which the module's own code begins


def is_torchs(file: str) -> bool:
    """True for a file of torch's, of ours, or of the little that Python puts between calls."""
    return file.startswith(SKIPPED)


def site() -> str:
    """`model.py:31`, the line of the innermost running code that is neither torch's nor ours; empty without one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_torchs(frame.f_code.co_filename):
        if frame.f_code.co_name == RUN:
            return ""
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{short_path(frame.f_code.co_filename)}:{frame.f_lineno}"


def site_of(error: BaseException) -> str:
    """`model.py:31`, the innermost line of a traceback that is neither torch's nor ours; empty without one."""
    frames = traceback.extract_tb(error.__traceback__)
    begin = max((i for i, frame in enumerate(frames) if frame.name == RUN), default=0)
    own = [frame for frame in frames[begin:] if not is_torchs(frame.filename)]
    return f"{short_path(own[-1].filename)}:{own[-1].lineno}" if own else ""


def short_path(file: str) -> str:
    """A file as people name it: from the working directory, or from the folder that Python imports it from."""
    for folder in (os.getcwd(), *sorted(sys.path, key=len, reverse=True)):
        if folder and file.startswith(folder + os.sep):
            return file[len(folder) + 1 :]
    return file


def code_at(site: str) -> str:
    """The text of a line of code, empty if it cannot be read."""
    name, _, number = site.rpartition(":")
    for folder in ("", *sys.path):
        try:
            return Path(folder, name).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()
        except (OSError, ValueError, IndexError):
            continue
    return ""
