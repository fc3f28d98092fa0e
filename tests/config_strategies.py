"""Random transformers, as configurations and as flags: every field, every variant, small sizes and a few large ones."""

from __future__ import annotations

from random import Random

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


def flags(random: Random) -> dict[str, str | bool]:
    """Sizes as a command line gives them: text, or true and false for a switch; each is left out now and then.

    Not every combination is possible, for what is left out takes its default or follows from the others.
    """
    kv_heads = random.choice([1, 2, 3])
    enc, dec = random.choice([(1, 1), (2, 1), (1, 3), (0, 2), (2, 0)])
    values: dict[str, int | str | bool] = {
        "enc": enc,
        "dec": dec,
        "d_model": 12 * random.randint(1, 20),
        "heads": kv_heads * random.randint(1, 4),
        "kv_heads": kv_heads,
        "d_k": random.choice([2, 4, 6, 8, 10, 7]),
        "d_v": random.randint(1, 20),
        "ff": ",".join(map(str, [random.randint(1, 99) for _ in range(random.randint(1, 3))])),
        "gated": random.random() < 0.5,
        "norm": random.choice(["layer", "rms"]),
        "norm_position": random.choice(["post", "pre"]),
        "bias": random.random() < 0.5,
        "vocab": random.choice([1, 29, 50257]),
        "tie": random.random() < 0.5,
        "positions": random.choice(["none", "sinusoidal", "learned", "rotary"]),
        "max_len": random.choice([40, 64, 5000]),
        "batch": random.randint(1, 4),
        "seq": random.randint(1, 40),
        "tgt_seq": random.randint(1, 40),
    }
    often_out = {"kv_heads", "d_k", "d_v", "vocab", "max_len", "tgt_seq"}
    given = [name for name in values if random.randint(0, 9) >= (5 if name in often_out else 1)]
    return {name: values[name] if isinstance(values[name], bool) else str(values[name]) for name in given}
