"""Arithmetic intensity: FLOPs for every byte moved; below a device's own ratio its memory is the limit."""

from __future__ import annotations

from shapeviz.analysis import FLOP_PER_BYTE, Ratio

analysis = Ratio(
    "intensity",
    "FLOPs per byte moved (Williams et al. 2009): below the ratio of a device's peak FLOP/s to its bandwidth, "
    "memory is the limit; views, lookups and elementwise operations have no FLOPs by our convention",
    over=("flops", "bytes_moved"),
    unit=FLOP_PER_BYTE,
)
