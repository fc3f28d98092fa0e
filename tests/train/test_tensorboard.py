"""The files for TensorBoard: taken apart by the rules of the format, and read by TensorBoard itself if it is there."""

import struct
from pathlib import Path
from typing import Any

import pytest

from shapeviz.errors import InputError
from shapeviz.train.tensorboard import Board, crc32c


def records(path: Path) -> list[bytes]:
    """The data of all records; their checksums hold."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        data, rest = content[12 : 12 + length], content[12 + length :]
        for covered, stored in ((content[:8], content[8:12]), (data, rest[:4])):
            unmasked = (struct.unpack("<I", stored)[0] - 0xA282EAD8) & 0xFFFFFFFF
            assert crc32c(covered) == (unmasked << 15 | unmasked >> 17) & 0xFFFFFFFF
        found.append(data)
        content = rest[4:]
    return found


def fields(data: bytes) -> dict[int, list[Any]]:
    """A protobuf message: values by the numbers of their fields, messages inside as bytes."""
    found: dict[int, list[Any]] = {}

    def varint() -> int:
        nonlocal data
        value = shift = 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while data:
        field, kind = divmod(varint(), 8)
        if kind == 0:
            found.setdefault(field, []).append(varint())
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        part, data = data[:size], data[size:]
        found.setdefault(field, []).append(struct.unpack({1: "<d", 5: "<f"}[kind], part)[0] if kind != 2 else part)
    return found


def scalars(event: bytes) -> tuple[int, dict[str, float]]:
    """The step of an event and its values by their tags."""
    values = [fields(value) for value in fields(fields(event)[5][0])[1]]
    return fields(event)[2][0], {value[1][0].decode(): value[2][0] for value in values}


@pytest.mark.parametrize(
    ("data", "checksum"),
    # RFC 3720, section B.4
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_checksums_are_those_of_the_rfc(data: bytes, checksum: int) -> None:
    assert checksum == crc32c(data)


def test_the_values_are_in_the_records(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add(0, {"train_loss": 4.25, "val_loss": None, "lr": 0.0})
    board.add(100_000, {"train_loss": 2.5, "val_loss": 2.75, "lr": 0.25, "tokens_per_second": 16_384})
    (path,) = (tmp_path / "tensorboard").iterdir()
    version, first, second = records(path)
    assert [b"brain.Event:2"] == fields(version)[3]
    assert (0, {"loss/train": 4.25, "lr": 0.0}) == scalars(first)
    expected = {"loss/train": 2.5, "loss/validation": 2.75, "lr": 0.25, "tokens_per_second": 16384.0}
    assert (100_000, expected) == scalars(second)


def test_a_resumed_run_tells_readers_to_drop_what_it_repeats(tmp_path: Path) -> None:
    Board(tmp_path).restart(201)
    (path,) = (tmp_path / "tensorboard").iterdir()
    event = fields(records(path)[-1])
    assert [201] == event[2]
    assert {1: [1]} == fields(event[7][0])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*tensorboard"):
        Board(tmp_path / "nowhere")


def test_tensorboard_itself_reads_them(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = Board(tmp_path)
    for step in (0, 10, 20):
        first.add(step, {"train_loss": 4.0 - step / 10})
    again = Board(tmp_path)
    again.restart(11)
    again.add(20, {"train_loss": 1.0})
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(0, 4.0), (10, 3.0), (20, 1.0)] == [(event.step, event.value) for event in read.Scalars("loss/train")]
