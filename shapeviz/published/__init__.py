"""Published models by name: each a JSON file of this folder, with its configuration, its source, its figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, nearest

FOLDER = Path(__file__).parent


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
    plain = re.sub(r"[\s_]+", "-", name.strip().lower())
    if has(plain):
        return plain
    if "/" not in plain:
        return None
    return next((name for name in names() if plain in load(name)["source"].lower().split("; ")[0]), None)


def close(name: str) -> list[str]:
    """The bundled models with that text in their name, in any letters; those that begin with it first."""
    plain = re.sub(r"[\s_-]+", "", name.lower())
    similar = [name for name in names() if plain and plain in name.replace("-", "")]
    return sorted(similar, key=lambda name: not name.replace("-", "").startswith(plain))
