"""TOML files of sizes: read strictly, sizes at the top or in a table `[model]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shapeviz.errors import InputError, SizeError
from shapeviz.files import read_text
from shapeviz.keys import TOO_LARGE


def load(path: Path) -> dict[str, Any]:
    """The sizes of a TOML file, under its own names for them. Raises InputError; SizeError for a number too long."""
    import tomllib

    try:
        data = tomllib.loads(read_text(path, "a TOML file of sizes").removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    except ValueError:  # Python's limit of 4300 digits
        raise SizeError(f"{path}: a number in it is {TOO_LARGE}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a file of sizes") from None
    table = data.pop("model", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: `model` is a table of sizes, [model]")
    at_top, in_table = ({key.replace("-", "_") for key in sizes} for sizes in (data, table))
    if twice := at_top & in_table:
        raise InputError(f"{path}: {min(twice)} is given twice, at the top and in [model]: keep one")
    return {**data, **table}
