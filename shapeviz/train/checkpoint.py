"""Checkpoints that are whole or absent, that execute nothing when read, and that know what run they belong to."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from shapeviz.errors import InputError
from shapeviz.files import read_bytes, reason
from shapeviz.train.folder import LOCK

VERSION = 1
SAFE = (2, 10)
"""The first torch that is known to read plain data from a hostile checkpoint without harm."""
LAST, BEST = "last.pt", "best.pt"
PARTS = "shards"
"""The folder for parts of checkpoints, and the key by which a checkpoint names its own."""
EXPECTED = {"version": int, "step": int, "logged": int, "model": dict, "optimizer": dict, "pending": list,
            "best": float, "train_loss": float, "val_loss": float, "seconds": float, "fingerprint": dict}  # fmt: skip


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a checkpoint beside its place, has the disk take it, and moves it there.

    Whatever ends the process, `path` holds the old one or the new one. Raises InputError if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    buffer = BytesIO()
    torch.save({"version": VERSION, **state}, buffer)
    try:
        written(temporary, buffer.getbuffer())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        kept = "; the checkpoint before it is kept" if path.exists() else ""
        raise InputError(f"cannot write {path}: {reason(error)}{kept}") from None


def written(path: Path, data: memoryview) -> None:
    """Writes a new file, never through a link that stands at its place; returns when the disk has it."""
    with suppress(FileNotFoundError):
        path.unlink()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Returns when the disk has the names in a folder, where the system can tell."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(run: Path) -> None:
    """Removes the parts that neither of a run's checkpoints names."""
    if not (run / PARTS).is_dir():
        return
    named = [load(run / name).get(PARTS) for name in (LAST, BEST) if (run / name).exists()]
    kept = {parts.get("folder") for parts in named if isinstance(parts, dict)}
    for place in (run / PARTS).iterdir():
        if place.name not in kept:
            shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        (run / PARTS).rmdir()


def load(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """A checkpoint's `model` (fp32 weights by name), `optimizer`, `step`, …; only plain data and tensors are unpickled.

    Raises InputError if it is missing, damaged (its checksums are compared), hostile, or of a later version.
    """
    if tuple(map(int, torch.__version__.split(".")[:2])) < SAFE:
        raise InputError(
            f"{path}: torch {torch.__version__} may execute what a checkpoint holds (CVE-2025-32434, CVE-2026-24747): "
            f"pip install 'torch>={SAFE[0]}.{SAFE[1]}'"
        )
    content = read_bytes(path)
    data = BytesIO(content)
    try:
        if not content.startswith(b"PK"):
            raise zipfile.BadZipFile("it is no zip archive")
        with zipfile.ZipFile(data) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        data.seek(0)
        state = torch.load(data, map_location=device, weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, OSError,
            AttributeError, TypeError, IndexError, NotImplementedError) as error:  # fmt: skip
        words = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        if words.startswith("Weights only load failed"):
            words = "it holds code, which is not executed"
        raise InputError(
            f"{path} is no whole checkpoint: {words}{other(path.parent) if path.name == LAST else ''}"
        ) from None
    if not isinstance(state, dict) or type(state.get("version")) is not int:
        raise InputError(f"{path} is no checkpoint of shapeviz")
    if state["version"] != VERSION:
        raise InputError(f"{path} is of version {state['version']}; this program reads version {VERSION}")
    for name, kind in EXPECTED.items():
        if not isinstance(state.get(name), kind):
            raise InputError(f"{path} is no whole checkpoint: {name} is missing or of another kind")
    threads = state["fingerprint"].get("threads", 1)
    sound = {
        "step": state["step"] >= 0,
        "logged": -1 <= state["logged"] <= state["step"],
        "pending": all(isinstance(one, tuple) and len(one) == 3 and set(map(type, one)) <= {int, float}
                       for one in state["pending"]),
        "fingerprint": type(threads) is int and 0 < threads <= 4096,
    }  # fmt: skip
    if wrong := [name for name, well in sound.items() if not well]:
        raise InputError(f"{path} is no whole checkpoint: {', '.join(wrong)} cannot be")
    return state


def other(run: Path) -> str:
    """What to do if the last checkpoint of a run is lost."""
    best, last = run / BEST, run / LAST
    return f"; to go on from where the run was best: cp {best} {last}" if best.exists() else ""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run folder for this process alone; the system lets go of it when the process ends, however it ends.

    Raises InputError if another process holds it, or if nothing can be written there.
    """
    path = folder / LOCK
    no_link = getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | no_link, 0o666), "a+")
    except OSError as error:
        raise InputError(f"cannot write in {folder}: {reason(error)}") from None
    with file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # not on this system
            pass
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            who = f" (process {holder})" if holder.isdigit() else ""
            raise InputError(f"{folder} is in use by another run{who}: wait for it, or choose another folder") from None
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def compare(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> list[str]:
    """What differs between the environment of a checkpoint and this one, where that changes bits, as notes.

    Raises InputError where the run cannot go on: another corpus, another tokenizer.
    """
    for name in ("corpus", "tokenizer"):
        if saved.get(name) != now[name]:
            raise InputError(
                f"the {name} is not the one that {folder} was trained on (sha256 {str(saved.get(name))[:12]}…, now "
                f"{str(now[name])[:12]}…): put it back, or begin a run in another folder, with --init-from {folder} "
                "from its weights"
            )
    return [
        f"{name} was {saved.get(name)}, now {value}: the run goes on, though not bit for bit as it would have"
        for name, value in now.items()
        if name not in ("corpus", "tokenizer") and saved.get(name) != value
    ]
