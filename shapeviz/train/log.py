"""The log of a run: `log.jsonl`, one JSON object a logged step."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from shapeviz import files
from shapeviz.errors import InputError

NAME = "log.jsonl"
Line = dict[str, Any]


class Log:
    """Lines appended to `log.jsonl` of a run folder.

    `Log(folder)` goes on behind what is there; `truncate` takes back the steps that a checkpoint does not have. A line
    is one write, so that a killed process leaves at most one torn line, at the end; it is cut off before the next is
    added. Raises InputError if the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / NAME
        self._file: int | None = None

    def add(
        self,
        *,
        step: int,
        train_loss: float | None = None,
        val_loss: float | None = None,
        lr: float | None = None,
        tokens_per_second: float | None = None,
        **more: float | None,
    ) -> None:
        """Appends a line: losses in nats per token, `lr` as used at this step; NaN and infinities become null."""
        figures = {"train_loss": train_loss, "val_loss": val_loss, "lr": lr, "tokens_per_second": tokens_per_second}
        line: Line = {"step": int(step)}
        for name, value in {**figures, **more}.items():
            line[name] = None if value is None or not math.isfinite(value) else float(value)
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        try:
            if self._file is None:
                self._file = _opened(self.path)
            while data := data[os.write(self._file, data) :]:  # a disk that is full takes a part, then none
                pass
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None

    def truncate(self, step: int) -> None:
        """Keeps the lines of steps up to `step`, of a step the last one, and drops a torn line; -1 empties the log."""
        self.close()
        kept = {line["step"]: line for line in Log.read(self.path.parent) if line["step"] <= step}
        files.write(self.path, "".join(json.dumps(line) + "\n" for line in kept.values()))

    def sync(self) -> None:
        """Returns when the lines are on the disk; to be called before a checkpoint that counts on them."""
        if self._file is not None:
            try:
                os.fsync(self._file)
            except OSError as error:
                raise InputError(f"cannot write {self.path}: {files.reason(error)}") from None

    def close(self) -> None:
        """Closes the file; a later `add` opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def read(folder: Path) -> list[Line]:
        """The lines in their order, none if there is no log.

        A torn last line is left out. Raises InputError for any other line that is no object with an integer `step`.
        """
        path = Path(folder) / NAME
        if not path.exists():
            return []
        try:
            text = files.read_bytes(path).decode()
        except UnicodeDecodeError as error:
            raise InputError(f"cannot read {path}: {error}") from None
        whole, _, _ = text.rpartition("\n")
        return [_parsed(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]


def _opened(path: Path) -> int:
    """A descriptor at the end of the last whole line."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.ftruncate(file, path.read_bytes().rfind(b"\n") + 1)
    return file


def _parsed(path: Path, number: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise InputError(f"{path}, line {number}: a JSON object with an integer 'step' is expected, not {text[:60]!r}")
    return line
