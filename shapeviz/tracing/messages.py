"""The words of exceptions, and what torch says when a device is not there or a tensor has no values."""

from __future__ import annotations

import re

NO_CUDA = re.compile(
    "compiled with CUDA|NVIDIA driver|No CUDA GPU|CUDA is not|cuda devices|device.*cuda|expected device cpu"
)
NO_VALUES = re.compile("meta tensor|meta device|Meta backend|on meta", re.IGNORECASE)


def words(error: BaseException) -> str:
    """What an exception says of itself; nothing if not even that can be had, since its class is somebody's own."""
    try:
        return str(error).strip()
    except Exception:
        return ""
