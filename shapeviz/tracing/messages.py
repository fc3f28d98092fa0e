"""What torch says when a device is not there or a tensor has no values: its exceptions have no class for it."""

from __future__ import annotations

import re

NO_CUDA = re.compile(
    "compiled with CUDA|NVIDIA driver|No CUDA GPU|CUDA is not|cuda devices|device.*cuda|expected device cpu"
)
NO_VALUES = re.compile("meta tensor|meta device|Meta backend|on meta", re.IGNORECASE)
