"""Files of the user's: read with a clear message, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from shapeviz.errors import InputError

LARGEST = 1_000_000


def read_text(path: Path, kind: str) -> str:
    """The text of a file. Raises InputError if it is missing, a directory, binary, empty, or far too large."""
    try:
        if path.stat().st_size > LARGEST and path.is_file():
            raise InputError(f"{path}: {path.stat().st_size:,} bytes are too many for {kind}")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: no text in UTF-8, so this is no {kind}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None
    if not text.strip():
        raise InputError(f"{path} is empty: {kind} is expected")
    return text


def write(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and moves it there, so that no half-written one is ever seen.

    Raises InputError if it cannot be written; what was there before is then still there.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a directory; name a file in it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        hint = f"; make its directory first: mkdir -p {path.parent}" if not path.parent.exists() else ""
        raise InputError(f"cannot write {path}: {reason(error)}{hint}") from None
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()


def reason(error: Exception) -> str:
    """The operating system's words alone: `No such file or directory`."""
    return str(getattr(error, "strerror", None) or error)
