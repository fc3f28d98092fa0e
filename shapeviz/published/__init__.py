"""Published models by name: each a JSON file of this folder, with its configuration, its source, its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, nearest

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The names of all bundled models: the files of this folder."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """What is bundled under a name. Raises InputError with the nearest name if there is nothing."""
    known = names()
    if name not in known:
        raise InputError(f"no bundled model {name!r}; {nearest(name, known)}")
    data: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return data
