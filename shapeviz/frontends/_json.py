"""config.json files: read strictly, and told from the other JSON files that lie beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, SizeError
from shapeviz.files import read_text

LARGEST = 10 * 2**20
OTHERS = {
    "tokenizer_class": "a tokenizer's configuration",
    "added_tokens_decoder": "a tokenizer's configuration",
    "chat_template": "a tokenizer's configuration",
    "weight_map": "an index of weights",
    "image_processor_type": "an image processor's configuration",
    "feature_extractor_type": "a feature extractor's configuration",
    "processor_class": "a processor's configuration",
    "peft_type": "an adapter's configuration",
    "_class_name": "a configuration of diffusers",
    "_from_model_config": "a generation configuration",
}


def load(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError for what is no JSON, no object, too large, or has a key twice."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if size > LARGEST:
        raise InputError(f"{path} has {size:,} bytes: that is no configuration, which has a few thousand")
    text = read_text(path, "a config.json", LARGEST).removeprefix("\ufeff")
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON: {error.msg}, line {error.lineno} column {error.colno}") from None
    except _TwiceError as error:
        raise InputError(f"{path}: {error} is given twice: keep one") from None
    except ValueError:  # Python's limit of 4300 digits
        raise SizeError(f"{path}: a number in it is too long") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a configuration") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: a JSON object is needed, not {_kind(data)}")
    return data


class _TwiceError(ValueError):
    """A key that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise _TwiceError(key if key.isprintable() and len(key) < 60 else ascii(key)[:60])
        entries[key] = value
    return entries


def _kind(data: object) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(data), "a number")


def other_kind(data: Mapping[str, object]) -> str:
    """What a file without `model_type` is instead of a model's configuration, in words; empty if nobody can tell."""
    if str(data.get("schema", "")).startswith("shapeviz/"):
        return "a report of shapeviz, which `shapeviz diff` takes"
    return next((what for key, what in OTHERS.items() if key in data), "")
