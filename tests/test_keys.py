"""Keys: what a field says of its value is what is read, and anything else is refused in words that mend it."""

from dataclasses import dataclass
from typing import Any

import pytest

from shapeviz import keys, symbols
from shapeviz.errors import InputError, ShapevizError
from shapeviz.keys import INTEGERS, SIDES, SWITCH, TEXTS, integer_or, key, one_of, size


@dataclass(frozen=True)
class Config:
    layers: int = key(4, may_be_zero=True)
    vocab_size: int = key(32000)
    groups: int | None = key(None)
    window: int | None = key(16, null=True)
    time_step_rank: int | str = key("auto", integer_or(one_of("auto")))
    image: int | tuple[int, ...] = key(224, SIDES)
    kinds: tuple[str, ...] | None = key(None, TEXTS)
    dense: tuple[int, ...] = key((), INTEGERS)
    act: str = key("silu")
    bias: bool = key(True)
    gated: bool | None = key(None, SWITCH)
    dropout: float = key(0.1)
    kv_heads: int | None = size("g")


KEYS = keys.keys(Config)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("layers", 0, 0), ("vocab_size", 5.0, 5), ("groups", None, None), ("window", None, None),
     ("time_step_rank", "auto", "auto"), ("time_step_rank", 48, 48), ("image", [3, 4], (3, 4)), ("image", 3.0, 3),
     ("kinds", ["a"], ("a",)), ("dense", [0, 2], (0, 2)), ("act", "relu", "relu"), ("bias", False, False),
     ("gated", None, None), ("dropout", 0, 0), ("kv_heads", 2, 2)],
)  # fmt: skip
def test_a_value_is_read_as_its_field_says(name: str, value: Any, expected: Any) -> None:
    assert expected == keys.read(KEYS[name], value, name, keys.from_json)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("layers", -1, "an integer of at least 0"), ("vocab_size", 0, "a positive integer"),
     ("vocab_size", "5", "a positive integer"), ("vocab_size", None, "leave the key out for its default"),
     ("vocab_size", 1.5, "a positive integer"), ("vocab_size", True, "a positive integer"),
     ("vocab_size", 10**51, "larger than 10⁵⁰"), ("time_step_rank", "most", "a positive integer, or auto"),
     ("time_step_rank", 0, "a positive integer"), ("image", "3", "or a list of them"), ("kinds", ["a", 1], "a text"),
     ("dense", [-1], "an integer of at least 0"), ("act", 3, "a text"), ("bias", 1, "true or false"),
     ("dropout", True, "a number"), ("dropout", "0.1", "a number")],
)  # fmt: skip
def test_anything_else_is_refused_in_words_that_mend_it(name: str, value: Any, words: str) -> None:
    with pytest.raises(ShapevizError, match=words):
        keys.read(KEYS[name], value, f"config.json: {name}", keys.from_json)


def test_a_field_that_says_not_what_it_may_be_is_named() -> None:
    @dataclass(frozen=True)
    class Bare:
        layers: int = 4

    with pytest.raises(InputError, match="layers of its Config says not what it may be"):
        keys.keys(Bare)


@pytest.mark.parametrize(("text", "number"), [("512", 512), (" +5_1_2 ", 512), ("5" * 5000, 10**50 + 1), ("x", "x")])
def test_flags_write_integers_as_texts(text: str, number: Any) -> None:
    assert number == keys.from_text(text)


def test_no_letter_and_no_long_name_stands_twice_in_the_glossary() -> None:
    assert len(symbols.GLOSSARY) == len(symbols.BY_LETTER) == len({symbol.key for symbol in symbols.GLOSSARY})
