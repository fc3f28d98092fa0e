"""Scalars for TensorBoard, written by its own library; only a run with --tensorboard needs it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from shapeviz import files
from shapeviz.errors import InputError, requiring

FOLDER = "tensorboard"
TAGS = {"train_loss": "loss/train", "val_loss": "loss/validation", "lr": "lr", "tokens_per_second": "tokens_per_second"}


class Board:
    """Scalars for `tensorboard --logdir RUN`, appended to a file in the folder `tensorboard` of a run.

    Every Board begins a file of its own. Each event is on the disk when its method returns, which the library's
    EventFileWriter, a queue and a thread, does not promise. Raises InputError if it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        check()
        # TensorBoard reads files in the order of their names and wants `tfevents` in them
        self.path = Path(folder) / FOLDER / f"events.out.tfevents.{time.time():017.6f}.{os.getpid()}"
        try:
            self.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None
        self._append(file_version="brain.Event:2")

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Appends the values of a step; None is left out."""
        shown = {TAGS.get(name, name): value for name, value in values.items() if value is not None}
        self._append(step=step, summary={"value": [{"tag": tag, "simple_value": shown[tag]} for tag in shown]})

    def restart(self, step: int) -> None:
        """Tells readers to drop what earlier files have for this step and later ones."""
        self._append(step=step, session_log={"status": "START"})

    def _append(self, **event: object) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        try:
            with self.path.open("ab") as file:
                RecordWriter(file).write(Event(wall_time=time.time(), **event).SerializeToString())
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None


def check() -> None:
    """Raises MissingToolError if TensorBoard is not installed."""
    with requiring("--tensorboard", "tensorboard"):
        import tensorboard.compat.proto.event_pb2
        import tensorboard.summary.writer.record_writer  # noqa: F401
