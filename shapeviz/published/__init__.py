"""Published models by name: each a JSON file of this folder, with its configuration, its source, its figures."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, nearest

FOLDER = Path(__file__).parent
VARIANTS = {"instruct", "chat", "it", "hf", "sft", "dpo", "base", "pt"}
"""Words in a name for what a model was trained for, or for whose library: its shapes are those of the base model."""


def names() -> list[str]:
    """The names of all bundled models: the files of this folder."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def has(name: str) -> bool:
    """True for the name of a bundled model."""
    return re.fullmatch(r"[\w.-]{1,100}", name) is not None and (FOLDER / f"{name}.json").is_file()


def load(name: str) -> dict[str, Any]:
    """What is bundled under a name. Raises InputError with the nearest name if there is nothing."""
    if not has(name):
        raise InputError(f"no bundled model {name!r}; {nearest(name, names())}")
    import json

    data: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return data


def alias(name: str) -> str | None:
    """The bundled model that a name means: in other letters, or as its hub calls it; None if there is none.

    >>> alias("GPT2"), alias("meta-llama/Meta-Llama-3-8B")
    ('gpt2', 'llama-3-8b')
    """
    plain = _plain(name)
    if has(plain):
        return plain
    owner = re.fullmatch(r"(?:https?://)?(?:(?:www\.)?huggingface\.co/)?([\w.-]+/[\w.-]+)/?", plain)
    return _sources().get(owner[1]) if owner else None


def base(name: str) -> str | None:
    """The bundled model whose shapes a variant has that was only trained further, by the words of its name: instruct,
    chat, it, hf; None if it is no variant of one.

    >>> base("meta-llama/Llama-3.1-8B-Instruct"), base("Mistral-7B-Instruct-v0.2"), base("gpt-4"), base("gpt2")
    ('llama-3.1-8b', 'mistral-7b-v0.2', None, None)
    """
    plain = _plain(name).rpartition("/")[2]
    bare = _bare(plain)
    if bare == plain or not bare:
        return None
    if has(bare):
        return bare
    bases = {_bare(source.rpartition("/")[2]): known for source, known in _sources().items()}
    return bases.get(bare)


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip().lower())


def _bare(name: str) -> str:
    """A name without the words that say what it was trained for."""
    return "-".join(word for word in name.split("-") if word not in VARIANTS)


@cache
def _sources() -> dict[str, str]:
    """The bundled model of every name on the hub, in small letters."""
    names_of = ((load(name)["source"].lower().split("; ")[0], name) for name in names())
    return {_plain(source.removeprefix("huggingface.co/")): name for source, name in names_of}


def near(name: str) -> list[str]:
    """The bundled models of the same family that a name may mean, the likeliest first; none of another family.

    >>> near("llama3-8b"), near("gpt-4"), near("whisper-small"), near("lama-3-8b"), near("gtp2")
    (['llama-3-8b'], [], [], ['llama-3-8b'], ['gpt2'])
    """
    name = _plain(name).rpartition("/")[2]
    close_ones = close(name)
    if first := [one for one in close_ones if _squeezed(one).startswith(_squeezed(name))]:
        return first
    from difflib import SequenceMatcher

    def likeness(one: str, other: str) -> float:
        return SequenceMatcher(None, one, other).ratio()

    word, version = _family(name)
    words = {_family(one)[0] for one in names()}
    same_ends = {one for one in words - {""} if one[0] + one[-1] == word[:1] + word[-1:]}
    slips = {one for one in same_ends if likeness(word, one) > 0.8}
    slips |= {one for one in words - {""} if sorted(one) == sorted(word)}  # letters in another order: gtp2
    families = {word} if word in words else slips  # a word that is one more letter at an end is another family: mbart
    known = {one: _family(one) for one in names() if _family(one)[0] in families}
    same = [one for one, (_, number) in known.items() if number.partition(".")[0] == version.partition(".")[0]]
    likely = [(known[one][1] == version, likeness(_squeezed(name), _squeezed(one)), one) for one in same]
    return [one for _, ratio, one in sorted(likely, reverse=True) if ratio > 0.7][:1]


def _family(name: str) -> tuple[str, str]:
    """`llama` and `3.1` of `llama-3.1-8b`: the word that a name begins with, and the number after it if that is not how
    large it is."""
    found = re.match(r"([a-z]*)(?:-?(\d+(?:\.\d+)?)(?![\d.bmx]))?", name)
    return (found[1], found[2] or "") if found else ("", "")


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def close(name: str) -> list[str]:
    """The bundled models with that text in their name, in any letters; those that begin with it first."""
    plain = _squeezed(name)
    similar = [name for name in names() if plain and plain in name.replace("-", "")]
    return sorted(similar, key=lambda name: not name.replace("-", "").startswith(plain))
