"""What a run computes with: device, number type, kernel of attention, threads; and why these were chosen."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from shapeviz.errors import InputError, nearest
from shapeviz.keys import whole
from shapeviz.train import distributed
from shapeviz.train.distributed import World
from shapeviz.train.recipe import Recipe

LONGEST_BMM, LONGEST_BMM_FP32 = 1024, 128
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
    """Bytes of memory of a device; None if it cannot be told."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if device.type == "cpu" else None
    except (AttributeError, ValueError, OSError):
        return None


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
