"""What a trace can take: the bounds of torch and of Python that we meet."""

from __future__ import annotations

LARGEST_SIZE = 2**63 - 1  # torch keeps the sizes of a tensor in 64 bits
MOST_DIMENSIONS = 16  # dimensions by name: torch's reasoning about sizes takes minutes with more
PATIENCE = 25.0  # CPU seconds for which torch may reason about letters before all but batches become numbers
DEEPEST_STACK = 6000  # Python frames: each of the module's own calls comes with a dozen of torch's and ours
