"""Sizes from files, dicts and flags: read as written, refused with sizes that are truly possible."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shapeviz
from shapeviz.errors import InputError, SizeError

small = st.integers(1, 60)
SIZES = st.fixed_dictionaries(
    {"heads": small, "positions": st.sampled_from(["none", "rotary"])},
    optional={"d_model": small, "d_k": small, "kv_heads": small, "max_len": st.integers(1, 5000)},
)


def suggestions(message: str) -> list[dict[str, int]]:
    """`--heads 4 or 8, or --d-model 510` after `nearest possible`: one change each."""
    _, _, text = message.rpartition("nearest possible: ")
    _, _, text = text.rpartition("at least ")
    return [
        {flag.replace("-", "_"): int(number)}
        for flag, numbers in re.findall(r"--([a-z-]+) (\d+(?: or \d+)*)", text)
        for number in numbers.split(" or ")
    ]


def refusal(sizes: dict[str, Any]) -> str:
    """The message with which sizes are refused, empty if they are taken."""
    try:
        shapeviz.read(sizes)
    except SizeError as error:
        return str(error)
    return ""


@given(SIZES)
def test_following_any_suggestions_ends_with_sizes_that_are_taken(sizes: dict[str, Any]) -> None:
    open_ends = [(sizes, 0)]
    while open_ends:
        one, steps = open_ends.pop()
        if message := refusal(one):
            offered = suggestions(message)
            assert offered, message
            assert steps < 4, message  # there are four kinds of conflict, and a suggestion makes none
            open_ends += [({**one, **change}, steps + 1) for change in offered]


def attention(d_model: int, heads: int, d_k: int) -> int:
    """Parameters of the default model, written down by hand, with these three of its own."""
    width = heads * d_k
    multi_head = 3 * (d_model * width + width) + width * d_model + d_model
    feed = (d_model * 512 + 512) + (512 * 512 + 512) + (512 * d_model + d_model)
    norm = 2 * d_model
    return 6 * (multi_head + feed + 2 * norm) + 8 * (2 * multi_head + feed + 3 * norm)


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [({}, (1024, 6, 128)), ({"d_model": 512}, (512, 6, 128)), ({"d_model": 256}, (256, 6, 128)),
     ({"heads": 12}, (1024, 12, 128)), ({"heads": 6}, (1024, 6, 128)), ({"d_model": 1024}, (1024, 6, 128)),
     ({"d_model": 1024, "heads": 6}, (1024, 6, 128)), ({"d_model": 768}, (768, 6, 128)),
     ({"d_model": 600}, (600, 6, 100)), ({"heads": 16}, (1024, 16, 64)), ({"heads": 7, "d_k": 9}, (1024, 7, 9)),
     ({"heads": 2000}, (1024, 2000, 128))],
)  # fmt: skip
def test_the_first_size_that_is_changed_is_taken(sizes: dict[str, int], shape: tuple[int, int, int]) -> None:
    model = shapeviz.read(sizes)
    assert attention(*shape) == shapeviz.measure(model).total["params"].value
    assert shape == tuple(model.sizes.numbers[letter] for letter in ("d_model", "h", "d_k"))


def test_a_default_that_stays_is_said_and_shown_as_derived() -> None:
    model = shapeviz.read(d_model=512)
    assert ("d_model / heads = 512 / 6 is no integer: d_k = 128 of the default stays; --d-k sets it",) == model.notes
    assert "derived: d_k = 128, " in shapeviz.render(shapeviz.measure(model))
    # a head stays as wide as it is at other widths: 45_733_376 at 512
    assert attention(768, 6, 128) == shapeviz.measure(model).total["params"].at(d_model=768)
    assert () == shapeviz.read(heads=6).notes == shapeviz.read(heads=16).notes


def test_a_width_and_heads_that_do_not_divide_are_refused_where_both_are_given() -> None:
    assert "d_k = d_model / heads is no integer" in refusal({"d_model": 512, "heads": 6})


@given(st.integers(1, 500), st.integers(1, 500))
def test_every_suggestion_for_heads_that_do_not_divide_is_taken(d_model: int, heads: int) -> None:
    message = refusal({"d_model": d_model, "heads": heads})
    assert bool(d_model % heads) == bool(message)
    assert [""] * len(suggestions(message)) == [
        refusal({"d_model": d_model, "heads": heads, **change}) for change in suggestions(message)
    ]


@given(st.integers(1, 60), st.integers(1, 60))
def test_uneven_groups_of_heads_are_refused_with_the_nearest_divisors(heads: int, kv_heads: int) -> None:
    message = refusal({"heads": heads, "d_k": 8, "kv_heads": kv_heads})
    assert bool(heads % kv_heads) == bool(message)
    if message:
        divisors = [n for n in range(1, heads + 1) if heads % n == 0]
        near = [max(n for n in divisors if n < kv_heads), *[n for n in divisors if n > kv_heads][:1]]
        assert near == [change["kv_heads"] for change in suggestions(message)]


@pytest.mark.parametrize(
    "text",
    ["d_model = 512\nheads = 8\nff = [64, 32]", "[model]\nd_model = 512\nheads = 8\nff = [64, 32]",
     "d-model = 512\n[model]\nheads = 8\nff = '64, 32'", "\ufeffd_model = 5_1_2\r\nheads = '8'\r\nff = '64,32'"],
)  # fmt: skip
def test_a_file_may_be_written_in_many_ways(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    expected = shapeviz.read(d_model=512, heads=8, ff="64,32")
    assert replace(expected, source="") == replace(shapeviz.read(path), source="", root=expected.root)
    assert shapeviz.measure(expected).total == shapeviz.measure(shapeviz.read(str(path))).total


def test_a_dict_is_read_and_keywords_beat_it() -> None:
    numbers = shapeviz.read({"enc": 12, "dec": 0, "d-model": 768, "heads": 8}, heads=12).sizes.numbers
    assert (12, 768, 64) == (numbers["N_enc"], numbers["d_model"], numbers["d_k"])  # 768 / 12 = 64
    assert shapeviz.read({"kv_heads": None}).sizes == shapeviz.read().sizes


def test_totals_at_other_sizes_are_integers_and_the_target_follows_the_source() -> None:
    total = shapeviz.measure(shapeviz.read()).total
    assert int is type(total["params"].at(B=1, S=128))
    assert 87_731_712 == total["params"].at(B=1, S=128)
    assert total["flops"].at(B=1, S=128, T=128) == total["flops"].at(B=1, S=128)
    assert total["flops"].at(B=1, S=128) == shapeviz.measure(shapeviz.read(batch=1, seq=128)).total["flops"].value


def test_the_target_length_that_is_given_stays() -> None:
    assert 7 == shapeviz.read(seq=5, tgt_seq=7).sizes.numbers["T"]
    assert 5 == shapeviz.read(seq=5).sizes.numbers["T"]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [({"enc": 0, "dec": 0}, "needs a layer"),
     ({"positions": "learned", "max_len": 10, "seq": 4096}, "at least --max-len 4096"),
     ({"positions": "rotary", "d_k": 3}, "--d-k 2 or 4"), ({"positions": "rotary", "d_k": 1}, "--d-k 2"),
     ({"d_model": True}, "positive integer"), ({"d_model": 2.0}, "positive integer"), ({"enc": -1}, "at least 0")],
)  # fmt: skip
def test_impossible_sizes_are_refused_with_words_that_mend_them(sizes: dict[str, Any], words: str) -> None:
    with pytest.raises(SizeError, match=re.escape(words)):
        shapeviz.read(sizes)


def test_an_unknown_size_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'heads'"):
        shapeviz.read({"hedas": 3})
