"""Scalars in the file format of TensorBoard, which only the reader of them needs to have installed.

A file is a sequence of records: length (uint64, little-endian), its masked CRC-32C, data, its masked CRC-32C; the data
are a protobuf `Event` with wall_time (field 1), step (2), file_version (3), summary (5) or session_log (7).
Source: lib/io/record_writer.h, util/event.proto and framework/summary.proto in tensorflow/core.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from shapeviz import files
from shapeviz.errors import InputError

FOLDER = "tensorboard"
TAGS = {"train_loss": "loss/train", "val_loss": "loss/validation", "lr": "lr", "tokens_per_second": "tokens_per_second"}


class Board:
    """Scalars for `tensorboard --logdir RUN`, appended to a file in the folder `tensorboard` of a run.

    Every Board begins a file of its own. Raises InputError if it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        now = time.time()
        # TensorBoard reads files in the order of their names and wants `tfevents` in them
        self.path = Path(folder) / FOLDER / f"events.out.tfevents.{now:017.6f}.{os.getpid()}"
        try:
            self.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None
        self._append(_double(1, now) + _bytes(3, b"brain.Event:2"))

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Appends the values of a step; None is left out."""
        shown = [(TAGS.get(name, name), value) for name, value in values.items() if value is not None]
        summary = b"".join(_bytes(1, _bytes(1, tag.encode()) + _float(2, value)) for tag, value in shown)
        self._append(_double(1, time.time()) + _integer(2, step) + _bytes(5, summary))

    def restart(self, step: int) -> None:
        """Tells readers to drop what earlier files have for this step and later ones."""
        start = 1
        self._append(_double(1, time.time()) + _integer(2, step) + _bytes(7, _integer(1, start)))

    def _append(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        try:
            with self.path.open("ab") as file:
                file.write(length + _masked(length) + data + _masked(data))
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of Castagnoli et al. (1993), as iSCSI uses it (RFC 3720, section B.4).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    """An integer of at least 0 in groups of seven bits, the lowest first, all but the last marked."""
    groups = b""
    while value > 0x7F:
        groups += bytes([value & 0x7F | 0x80])
        value >>= 7
    return groups + bytes([value])


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)
