"""Random configurations of a transformer: every field of Config, every variant, small sizes and a few large ones."""

from __future__ import annotations

from hypothesis import strategies as st

from shapeviz.models.transformer import Config


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A valid configuration: heads divide among the groups, rotary heads are even, positions reach far enough."""
    enc, dec = draw(st.sampled_from([(1, 1), (2, 1), (1, 3), (0, 1), (0, 3), (1, 0), (2, 0)]))
    positions = draw(st.sampled_from(["none", "sinusoidal", "learned", "rotary"]))
    kv_heads = draw(st.none() | st.sampled_from([1, 2, 3]))
    heads = (kv_heads or 1) * draw(st.integers(1, 4))
    d_k, d_model = draw(_widths(heads, even=positions == "rotary"))
    seq, tgt_seq = draw(st.integers(1, 40)), draw(st.none() | st.integers(1, 40))
    return Config(
        enc=enc,
        dec=dec,
        d_model=d_model,
        heads=heads,
        kv_heads=kv_heads,
        d_k=d_k,
        d_v=draw(st.none() | st.integers(1, 20)),
        ff=tuple(draw(st.lists(st.sampled_from([1, 2, 7, 32, 33, 4096]), min_size=1, max_size=4))),
        gated=draw(st.booleans()),
        norm=draw(st.sampled_from(["layer", "rms"])),
        norm_position=draw(st.sampled_from(["post", "pre"])),
        bias=draw(st.booleans()),
        vocab=draw(st.none() | st.sampled_from([1, 2, 29, 50257])),
        tie=draw(st.booleans()),
        positions=positions,
        max_len=draw(st.none() | st.integers(max(seq, tgt_seq or 0), 64)),
        batch=draw(st.integers(1, 4)),
        seq=seq,
        tgt_seq=tgt_seq,
        name=draw(st.sampled_from(["transformer", "mine"])),
    )


@st.composite
def _widths(draw: st.DrawFn, heads: int, even: bool) -> tuple[int | None, int]:
    """d_k, or None for d_model / heads, and d_model."""
    d_k = draw(st.integers(1, 12)) * (2 if even else 1)
    if draw(st.booleans()):
        return None, heads * d_k
    return d_k, draw(st.sampled_from([1, 5, 16, 24, 100, 12288]))
