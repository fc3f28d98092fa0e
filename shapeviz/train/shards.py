"""Checkpoints in parts: every process writes its own with torch.distributed.checkpoint; whole or absent all the same.

The parts lie in a folder of their own, and `last.pt` or `best.pt` beside it, written after them, name it: whatever ends
the processes, those two name parts that are whole. Parts are read by any number of processes, also by one.
"""

from __future__ import annotations

import io
import pickle
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from shapeviz.errors import InputError
from shapeviz.files import reason
from shapeviz.train import checkpoint
from shapeviz.train.distributed import World

Tensors = Mapping[str, Mapping[str, Tensor]]
ALLOWED = {
    "torch": {"Size", *(name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype))},
    "torch.serialization": {"_get_layout"},
    "torch.distributed.checkpoint.metadata": {"ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta",
                                              "TensorProperties", "TensorStorageMetadata", "_MEM_FORMAT_ENCODING"},
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "pathlib": {"PosixPath", "WindowsPath"},
}  # fmt: skip
"""What the list of parts is made of, which torch pickles: nothing else is called when it is read."""


def write(run: Path, step: int, tensors: Tensors, world: World) -> dict[str, Any]:
    """Writes the parts of all processes in a new folder; gives its name, and every file's size and SHA-256.

    All processes must call it. Raises InputError if some part cannot be written; nothing of it is left then.
    """
    name = world.first(lambda: _fresh(run / checkpoint.PARTS, step))
    place = run / checkpoint.PARTS / name
    try:
        with quiet():
            save({**tensors}, storage_writer=FileSystemWriter(place), no_dist=world.size == 1)
    except (CheckpointException, OSError) as error:
        failed = InputError(f"cannot write {place}: {_first(error)}; the checkpoint before it is kept")

        def tell() -> None:
            shutil.rmtree(place, ignore_errors=True)
            raise failed from None

        world.first(tell)
    files = sorted(path for path in place.iterdir() if path.is_file())
    own = {path.name: [path.stat().st_size, _digest(path)] for path in files[world.rank :: world.size]}
    if world.main:
        checkpoint.sync_folder(place)
        checkpoint.sync_folder(place.parent)
    all_files = {file: facts for part in world.gathered(own) for file, facts in part.items()}
    return {"folder": name, "files": all_files}


def read(run: Path, shards: Any, tensors: Tensors, world: World | None = None) -> None:
    """Reads into `tensors`, whole ones or parts, what `write` wrote; every process reads what it needs.

    Raises InputError if a file is missing, damaged or hostile, or is of another model.
    """
    world = world or World()
    place, files = _named(run, shards)
    wrong = [
        f"{place / name} is {'missing' if not (place / name).is_file() else 'damaged'}"
        for name in sorted(files)[world.rank :: world.size]
        if not _as_written(place / name, files[name])
    ]
    wrong = [line for lines in world.gathered(wrong) for line in lines]

    def whole() -> None:
        if wrong:
            raise InputError(f"{'; '.join(wrong)}: the checkpoint is not whole{checkpoint.other(run)}")

    world.first(whole)
    try:  # a hostile or foreign file may raise nearly anything in torch's reader
        with quiet():
            load({**tensors}, storage_reader=Reader(place, set(files)), no_dist=True)
    except (CheckpointException, pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, AttributeError,
            AssertionError, EOFError, IndexError, OSError) as error:  # fmt: skip
        raise InputError(f"{place} is no checkpoint of this model: {_first(error)}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's warning that a process writes or reads alone, which is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        yield


class Reader(FileSystemReader):
    """torch's reader, which executes nothing that a file says, and opens no file but those in `names`."""

    def __init__(self, place: Path, names: set[str]) -> None:
        super().__init__(place)
        self.names = names

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """The list of parts. Raises UnpicklingError if it is none."""
        metadata = _Unpickler(io.BytesIO((Path(self.path) / ".metadata").read_bytes())).load()
        if not isinstance(metadata, Metadata) or not isinstance(metadata.storage_data, dict):
            raise pickle.UnpicklingError("its .metadata is no list of parts")
        if not {info.relative_path for info in metadata.storage_data.values()} <= self.names:
            raise pickle.UnpicklingError("its .metadata names files that do not belong to it")
        metadata.storage_meta = StorageMeta()
        return metadata


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"its .metadata asks for {module}.{name}, which is not executed")


def _fresh(place: Path, step: int) -> str:
    """The name of a folder for a step's parts that is not there yet."""
    names = [f"{step:08}", *(f"{step:08}-{again}" for again in range(2, 1000))]
    name = next(name for name in names if not (place / name).exists())
    try:
        (place / name).mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot make {place / name}: {reason(error)}") from None
    return name


def _named(run: Path, shards: Any) -> tuple[Path, dict[str, Any]]:
    """The folder and the files that a checkpoint names; plain names, since it may come from anywhere."""
    match shards:
        case {"folder": str(name), "files": {".metadata": _} as files} if _plain(name) and all(map(_plain, files)):
            return run / checkpoint.PARTS / name, files
    raise InputError(f"{run}: its checkpoint does not say where its parts are")


def _plain(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name


def _as_written(path: Path, facts: Any) -> bool:
    return path.is_file() and [path.stat().st_size, _digest(path)] == list(facts)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _first(error: BaseException) -> str:
    """What a failure says, in a line: of a process that failed, if torch has gathered them."""
    for failure in getattr(error, "failures", {}).values():
        error = failure[0] if isinstance(failure, tuple) else failure
        break
    if isinstance(error, OSError):
        return reason(error)
    return (str(error).splitlines() or [type(error).__name__])[0][:150]
