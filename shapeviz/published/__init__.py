"""Published models by name: each a JSON file of this folder, with its configuration, its source, its figures."""

from __future__ import annotations

import json
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
    data: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return data
