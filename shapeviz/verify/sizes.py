"""The configurations at whose widths formula and PyTorch are compared, and their sizes under the model's symbols."""

from __future__ import annotations

from dataclasses import replace

from shapeviz.ir import Model
from shapeviz.models.transformer import SYMBOLS, Config
from shapeviz.symbols import DIMENSIONS, numbered

VARIABLES = tuple(DIMENSIONS.values())  # B, S, T: what the comparison leaves symbolic
SYMBOLIC_DEPTH = 8  # layers of a stack that are run symbolically; deeper ones are alike, and totals grow linearly
DEEPEST = 64  # layers of a stack that are built for the peers, who count numbers and are faster
SHORTEST_TABLE = 3  # learned positions that leave room for two lengths above 1, which torch takes as symbols
LARGEST = 2**61  # elements; PyTorch addresses 2^63 bytes


def lengths(c: Config) -> tuple[int, ...]:
    """The sequence lengths of the inputs: source and target, or the only one."""
    target = c.tgt_seq or c.seq
    return (c.seq, target) if c.enc and c.dec else (c.seq if c.enc else target,)


def variables(c: Config) -> tuple[str, ...]:
    """The names of the batch and the lengths: B, S, T, or B, S for one stack."""
    return VARIABLES[: 1 + len(lengths(c))]


def symbols(c: Config) -> dict[str, int]:
    """Every symbol's number, derived from the configuration alone: what it leaves open is settled here once more."""
    d_k = c.d_k or c.d_model // c.heads
    whole = replace(c, kv_heads=c.kv_heads or c.heads, d_k=d_k, d_v=c.d_v or d_k, max_len=table_length(c))
    numbers: dict[str, int] = {letter: getattr(whole, key) or 0 for letter, key in SYMBOLS.items()}
    del numbers["d_ff"], numbers["S"], numbers["T"]
    widths = zip(numbered("d_ff", len(c.ff)), c.ff, strict=True)
    return {**dict(zip(VARIABLES, (c.batch, *lengths(c)), strict=False)), **numbers, **dict(widths)}


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


def shallow(c: Config, deepest: int) -> Config:
    """The configuration with at most two layers in every stack that has more than `deepest`."""
    return replace(c, enc=c.enc if c.enc <= deepest else 2, dec=c.dec if c.dec <= deepest else 2)


def with_room(c: Config) -> Config:
    """The configuration with a table of learned positions that is not too short for symbolic lengths."""
    limit = table_length(c)
    return replace(c, max_len=SHORTEST_TABLE) if limit and limit < SHORTEST_TABLE else c


def within_reach(c: Config) -> Config:
    """The configuration, at a small batch and short lengths if PyTorch could not address its own."""
    longest = max(lengths(c))
    widest = max(c.heads * longest, c.d_model, *c.ff, c.vocab or 0, c.heads * max(c.d_k or 0, c.d_v or 0))
    if c.batch * longest * widest < LARGEST:
        return c
    limit = table_length(c)
    source, target = (min(length, limit or length) for length in (11, 7))
    return replace(c, batch=3, seq=source, tgt_seq=target, max_len=limit)


def table_length(c: Config) -> int | None:
    """The length of the table of learned positions: None if there is none."""
    return (c.max_len or max(lengths(c))) if c.positions == "learned" else None
