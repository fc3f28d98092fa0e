"""Files of the user's: read with a clear message, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from shapeviz.errors import InputError

LARGEST = 1_000_000


def read_text(path: Path, kind: str, largest: int = LARGEST) -> str:
    """The text of a file. Raises InputError if it is missing, a directory, binary, empty, or far too large."""
    try:
        _check_regular(path)
        if path.stat().st_size > largest and path.is_file():
            raise InputError(f"{path}: {path.stat().st_size:,} bytes are too many for {kind}")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text in UTF-8, so this is not {kind}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None
    if not text.strip():
        raise InputError(f"{path} is empty: {kind} is expected")
    return text


def read_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises InputError if it is missing, or no regular file."""
    try:
        _check_regular(path)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from None


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe might never end
        raise InputError(f"cannot read {path}: it is no regular file")


def write(path: Path, content: str | bytes) -> None:
    """Writes one file, as `write_all` does."""
    write_all({path: content})


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Writes every file beside its place and then moves all there, so that no half-written one is ever seen.

    Raises InputError if one cannot be written; what was there before is then still there. Links are followed, modes
    kept, and devices and pipes (/dev/stdout, /dev/null) are written into, never replaced.
    """
    staged: dict[Path, tuple[Path, Path]] = {}
    special: dict[Path, bytes] = {}
    try:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            with _writing(path):
                if _is_special(path):
                    special[path] = data
                    continue
                target = Path(os.path.realpath(path))
                staged[path] = _staged(target, data), target
        for path, data in special.items():
            with _writing(path):
                path.write_bytes(data)
        for path, (temporary, target) in staged.items():
            with _writing(path):
                os.replace(temporary, target)
    finally:
        for temporary, _ in staged.values():
            with suppress(OSError):
                temporary.unlink()


def _staged(target: Path, data: bytes) -> Path:
    """A new file beside the target with the data and the target's mode, under a name that nobody can foresee."""
    descriptor, name = mkstemp(prefix=".shapeviz-", suffix=".tmp", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, name)
        else:
            os.chmod(name, 0o666 & ~_umask())
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def _umask() -> int:
    """The mode that new files do without; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe. Raises InputError if it can only be refused."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a directory; name a file in it")
    if not os.access(path, os.W_OK):
        raise InputError(f"cannot write {path}: it is read-only")
    return not path.is_file()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one message."""
    try:
        yield
    except BrokenPipeError:  # the reader of /dev/stdout has gone: no mistake
        raise
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError) and not path.parent.exists()
        hint = f"; make its directory first: mkdir -p {path.parent}" if missing else ""
        raise InputError(f"cannot write {path}: {reason(error)}{hint}") from None


def reason(error: Exception) -> str:
    """The operating system's words alone: `No such file or directory`."""
    return str(getattr(error, "strerror", None) or error)


@contextmanager
def staying_here() -> Iterator[None]:
    """The working directory, from which paths count, is the same afterwards, wherever somebody's code goes."""
    try:
        here = os.getcwd()
    except OSError:  # it has been removed
        yield
        return
    try:
        yield
    finally:
        os.chdir(here)
