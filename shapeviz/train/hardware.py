"""What a run computes with: device, number type, kernel of attention, threads; and why these were chosen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.keys import whole
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import distributed
from shapeviz.train.distributed import World
from shapeviz.train.recipe import Recipe

MEMINFO = Path("/proc/meminfo")
CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
LONGEST_BMM, LONGEST_BMM_FP32 = 512, 128
"""Blocks up to which bmm attention was quicker than scaled_dot_product_attention on CPUs, in bfloat16 and float32."""


@dataclass(frozen=True)
class Hardware:
    """A torch device and dtype, `kernel` "sdpa" or "bmm", threads of this process, `compiled`, and reasons in words."""

    device: torch.device
    dtype: torch.dtype
    kernel: str
    threads: int
    compiled: bool = False
    reasons: tuple[str, ...] = field(default=(), compare=False)

    @property
    def wide(self) -> bool:
        """Whether long sums need to be told to be in float32: CPUs' kernels add up bfloat16 in bfloat16."""
        return self.device.type == "cpu" and self.dtype != torch.float32

    @property
    def dtype_name(self) -> str:
        """float32 or bfloat16."""
        return str(self.dtype).removeprefix("torch.")

    def facts(self, world: World) -> dict[str, Any]:
        """On what the last bits of every sum depend."""
        return {
            "torch": str(torch.__version__),
            "device": self.device.type,
            "dtype": self.dtype_name,
            "threads": self.threads,
            "processes": world.size,
            "attention": self.kernel,
            "compiled": self.compiled,
            "processor": torch.backends.cpu.get_cpu_capability() if self.device.type == "cpu" else _name(self.device),
        }


def device_of(name: str) -> torch.device:
    """The device of that name, or the best there is; under torchrun that of this process. Raises InputError if it is
    not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and whole(number) is None):
        raise InputError(f"--device {name} is unknown; {nearest(name, ('auto', 'cpu', 'cuda', 'cuda:0', 'mps'))}")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if number and distributed.size() > 1:
            raise InputError(f"--device {name}: every process takes a GPU of its own; --device cuda")
        place = int(number or distributed.local_rank())
        if place >= count:
            which = f"{name} (process {place} of this machine)" if not number and place else name
            raise InputError(f"--device {which}: {count} CUDA devices are here; --device cpu always works")
        return torch.device("cuda", place)
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: there is none here; --device cpu always works")
    return torch.device(kind)


def choose(recipe: Recipe, world: World, saved: dict[str, Any] | None = None) -> Hardware:
    """Dtype, kernel and threads on the device of a process; what the recipe leaves open is as in the run that is
    `saved`, if any. Sets the number of threads of this process."""
    device, saved = world.device, saved or {}
    dtype, why = _dtype(recipe, device, saved)
    lower = dtype != torch.float32
    longest = LONGEST_BMM if lower else LONGEST_BMM_FP32
    # PyTorch spells attention with dropout out on CPUs, in more steps
    kernel = "bmm" if device.type == "cpu" and (recipe.dropout or recipe.block_size <= longest) else "sdpa"
    threads = recipe.threads or saved.get("threads") or torch.get_num_threads()
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)
    cores = os.cpu_count() or 1
    reasons = [f"{device} in {str(dtype).removeprefix('torch.')}: {why}"]
    if kernel == "bmm":
        reasons.append("attention by baddbmm, softmax and bmm: quicker here than PyTorch's own")
    compiled = bool(recipe.compile)
    if recipe.compile is None and device.type == "cuda" and recipe.parallel != "fsdp":
        able = torch.cuda.get_device_capability(device) >= (7, 0)  # what triton needs
        compiled = able and find_spec("triton") is not None
        reasons.append("compiled, as is usual on GPUs" if compiled else "not compiled: no triton for this GPU")
    if device.type == "cpu" and threads * world.size > cores:
        reasons.append(f"{threads * world.size} threads share {cores} cores: fewer (--threads) may be faster")
    return Hardware(device, dtype, kernel, threads, compiled, tuple(reasons))


def spelled(module: LanguageModel, chosen: Hardware) -> None:
    """Has a module compute as the hardware wants it: its kernel of attention, and where it adds up in float32."""
    module.attention = "bmm" if chosen.kernel == "bmm" else "sdpa"
    if chosen.wide:
        module.widen()


def _dtype(recipe: Recipe, device: torch.device, saved: dict[str, Any]) -> tuple[torch.dtype, str]:
    if recipe.dtype != "auto":
        return getattr(torch, recipe.dtype), "as asked"
    if saved.get("dtype") in ("float32", "bfloat16"):
        return getattr(torch, saved["dtype"]), "as before"
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return torch.bfloat16, "this GPU has bfloat16"
        return torch.float32, "this GPU has no bfloat16"
    if device.type == "cpu" and quick_bfloat16():
        return torch.bfloat16, "this processor has instructions for bfloat16; the weights are kept in float32"
    return torch.float32, "no instructions for bfloat16 are known of this processor"


def quick_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices by instructions of its own (AVX512-BF16, AMX)."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):  # private: absent in other versions of torch
        probe = getattr(torch.cpu, name, None)
        if probe is not None and probe():
            return True
    return False


def memory(device: torch.device) -> int | None:
    """Bytes of memory of a device, of the main memory those that this process can have; None if it cannot be told."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type != "cpu":
        return None
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    """What limits the main memory: the machine's, what of it is free, a container's, and `ulimit -v`."""
    with suppress(OSError, ValueError, KeyError):
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        yield sum(int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    with suppress(AttributeError, ValueError, OSError):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CONTAINER:
        with suppress(ValueError, OSError):  # the word max, or no such file
            yield int(Path(path).read_text())
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        if (most := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
            yield most


@contextmanager
def enough_memory(doing: str, hint: str) -> Iterator[None]:
    """Raises SizeError, with what was done and what helps, instead of what PyTorch and Python raise without memory."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and not re.search("allocate memory|not enough memory", str(error)):
            raise
        asked = re.search(r"allocate ([\d.]+ (?:bytes|[KMGT]iB))", str(error))
        size = f" ({asked[1]} more were asked for)" if asked else ""
        raise SizeError(f"the memory is at its end {doing}{size}: {hint}") from None


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
