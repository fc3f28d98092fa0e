"""Where formula and PyTorch are compared: the own sizes, other lengths, and a tiny model of the same variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shapeviz.ir import Model
from shapeviz.models.transformer import Config

DEEPEST = 64  # layers of a stack that are built; deeper ones are alike, and totals grow linearly with them
LARGEST = 2**61  # elements; PyTorch addresses 2^63 bytes
OTHER_LENGTHS = ((3, 11, 7), (1, 5, 13))  # B, S, T: odd and coprime, so that no two symbols can be confused


@dataclass(frozen=True)
class Point:
    """A configuration, the lengths at which its module runs, and the same sizes as numbers for the model's symbols."""

    config: Config
    batch: int
    lengths: tuple[int, ...]
    sizes: Mapping[str, int]

    def __str__(self) -> str:
        names = ("B", "S", "T")
        here = " ".join(f"{name}={size}" for name, size in zip(names, (self.batch, *self.lengths), strict=False))
        return here + " with tiny widths" * ("d_model" in self.sizes)


def points(model: Model, config: Config) -> list[Point]:
    """The own sizes, if PyTorch can address them, two pairs of other lengths, and the tiny model."""
    small = shrink(config)
    own = Point(config, config.batch, lengths(config), {})
    tiny = Point(small, small.batch, lengths(small), overrides(model, small))
    return [*[own] * _addressable(own), *(_moved(config, *sizes) for sizes in OTHER_LENGTHS), tiny]


def lengths(c: Config) -> tuple[int, ...]:
    """The sequence lengths of the inputs: source and target, or the only one."""
    target = c.tgt_seq or c.seq
    return (c.seq, target) if c.enc and c.dec else (c.seq if c.enc else target,)


def symbols(c: Config) -> dict[str, int]:
    """Every symbol's number, derived from the configuration alone."""
    d_k = c.d_k or c.d_model // c.heads
    widths = {f"d_ff{i}" if len(c.ff) > 1 else "d_ff": width for i, width in enumerate(c.ff, 1)}
    heads = {"h": c.heads, "g": c.kv_heads or c.heads, "d_k": d_k, "d_v": c.d_v or d_k}
    sizes = {"B": c.batch, **_named(c, lengths(c)), "V": c.vocab or 0, "N_enc": c.enc, "N_dec": c.dec}
    return {**sizes, "d_model": c.d_model, **heads, **widths}


def overrides(model: Model, c: Config) -> dict[str, int]:
    """Those of the symbols' numbers that the model lets one set; an alias follows the size that it stands for."""
    free = {**model.sizes.values, **model.sizes.rules}
    return {name: size for name, size in symbols(c).items() if name in free}


def shrink(c: Config) -> Config:
    """The same variant with few layers and tiny widths, hardly two of them equal: what holds there is no accident."""
    groups = min(c.kv_heads, 2) if c.kv_heads else 1
    heads = groups * min(c.heads // (c.kv_heads or 1), 3)
    two_stacks = bool(c.enc and c.dec)
    return replace(
        c,
        enc=min(c.enc, 2),
        dec=min(c.dec, 3 if c.enc else 2),
        d_model=22 if c.d_k else 4 * heads,
        heads=heads,
        kv_heads=c.kv_heads and groups,
        d_k=c.d_k and 4,
        d_v=c.d_v and 5,
        ff=tuple(7 + 4 * i for i in range(len(c.ff))),
        vocab=c.vocab and 23,
        max_len=c.max_len and 13,
        batch=2,
        seq=9,
        tgt_seq=8 if two_stacks else c.tgt_seq and 9,
    )


def shallow(c: Config) -> Config:
    """The configuration with at most two layers in every stack that is too deep to build."""
    return replace(c, enc=c.enc if c.enc <= DEEPEST else 2, dec=c.dec if c.dec <= DEEPEST else 2)


def _moved(c: Config, batch: int, source: int, target: int) -> Point:
    """The configuration at other lengths, none beyond its table of learned positions."""
    limit = table_length(c)
    if limit:
        source, target = min(source, limit), min(target, limit)
        source -= source == target > 1
    moved = (source, target)[: len(lengths(c))]
    return Point(c, batch, moved, {"B": batch, **_named(c, moved)})


def _named(c: Config, sequence: tuple[int, ...]) -> dict[str, int]:
    """S, T for two stacks, and P for learned positions."""
    limit = table_length(c)
    return {**dict(zip("ST", sequence, strict=False)), **({"P": limit} if limit else {})}


def table_length(c: Config) -> int | None:
    """The length of the table of learned positions: None if there is none."""
    return (c.max_len or max(lengths(c))) if c.positions == "learned" else None


def _addressable(point: Point) -> bool:
    c, longest = point.config, max(point.lengths)
    widest = max(c.heads * longest, c.d_model, *c.ff, c.vocab or 0, c.heads * max(c.d_k or 0, c.d_v or 0))
    return point.batch * longest * widest < LARGEST
