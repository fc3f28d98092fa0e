"""Several processes under torchrun: who is who, who takes which rows, and the sums over all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor

from shapeviz.errors import CheckFailedError, InputError, ShapevizError, SizeError
from shapeviz.keys import whole

Result = TypeVar("Result")
PATIENCE = timedelta(minutes=30)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class World:
    """This process among `size` ones: 0 ≤ rank < size, the `device` that is its own; `joined` if it is to leave."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU
    joined: bool = False

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Which of `count` rows this process takes: runs whose lengths differ by one at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether it is set in some process."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self.device)))

    def gathered(self, value: Result) -> list[Result]:
        """The values of all processes, by rank; they must be such as can be pickled."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    @contextmanager
    def told_once(self) -> Iterator[None]:
        """Of a check that fails in all processes at once, as a loss that is not finite does, the first one tells."""
        try:
            yield
        except CheckFailedError as error:
            if self.main:
                raise
            sys.exit(error.exit_code)

    def first(self, job: Callable[[], Result]) -> Result:
        """What `job` gives in the main process, for all of them; a mistake there ends all, with one message."""
        if self.size == 1:
            return job()
        outcome: list[Any] = [None, None]
        if self.main:
            try:
                outcome[0] = job()
            except ShapevizError as error:
                outcome[1] = error
        shared = [outcome[0], None if outcome[1] is None else outcome[1].exit_code]
        torch.distributed.broadcast_object_list(shared)
        if outcome[1] is not None:
            raise outcome[1]
        if shared[1] is not None:
            sys.exit(shared[1])
        return shared[0]  # type: ignore[no-any-return]


def local_rank() -> int:
    """The number of this process among those of torchrun on this machine."""
    return _number("LOCAL_RANK", 0)


def size() -> int:
    """How many processes torchrun has started, on all machines."""
    return _number("WORLD_SIZE", 1)


def start(device: torch.device, grouped: bool = False) -> World:
    """Joins the processes that torchrun has started, if it has and that is still to be done.

    The device is that of this process, and chooses gloo or nccl; `grouped` makes a group also of a process that is
    alone. Raises InputError for an environment that is not torchrun's.
    """
    count = size()
    if count == 1 and not grouped:
        return World(device=device)
    if not torch.distributed.is_available():
        raise InputError("this build of torch cannot run several processes: WORLD_SIZE must be 1")
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if count > 1 and missing:
        raise InputError(f"WORLD_SIZE={count} without {', '.join(missing)}: torchrun sets them all")
    joined = not torch.distributed.is_initialized()
    world = World(_number("RANK", 0), count, device, joined)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if joined:
        from torch.distributed import HashStore  # type: ignore[attr-defined]

        alone: dict[str, Any] = {}
        if count == 1:
            alone = {"store": HashStore(), "rank": 0, "world_size": 1}
        backend = "nccl" if device.type == "cuda" else "gloo"
        try:
            torch.distributed.init_process_group(backend, timeout=PATIENCE, **alone)
        except (RuntimeError, ValueError, OSError) as error:
            where = ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
            words = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise InputError(f"the {count} processes cannot meet at {where}: {words}") from error
    return world


def stop(world: World) -> None:
    """Leaves the processes' group, if it was joined here."""
    if world.joined and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def check(world: World, batch_size: int) -> None:
    """Raises SizeError if a process would have no row of a batch."""
    if batch_size < world.size:
        raise SizeError(f"--batch-size {batch_size} gives none of its windows to some of the {world.size} processes")


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    number = whole(text)
    if number is None or (name == "WORLD_SIZE" and number == 0):
        raise InputError(f"{name}={text[:40]} in the environment: torchrun sets it to a number")
    return number
